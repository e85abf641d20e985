"""Runs an original network on the raw inputs of a model that prepares them itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeopt.examine.originals import Runner
from edgeopt.frontend.preparation import Preparation, prepare_inputs
from edgeopt.interpret import interpret
from edgeopt.ir import Array, Graph, TensorType, Value
from edgeopt.runtime.manifest import Manifest


def on_raw_inputs(runner: Runner, manifest: Manifest) -> Runner:
    """``runner`` for what the compiled model takes: the same where that prepares nothing."""
    record: Mapping[str, Any] | None = manifest.get("preparation")
    if not record:
        return runner
    wanted = {name: _preparation(about) for name, about in record.items()}
    shapes = {port["name"]: tuple(port["shape"]) for port in manifest["inputs"]}
    shapes |= {name: tuple(about["shape"]) for name, about in record.items()}

    def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
        return runner(prepared(wanted, shapes, inputs))

    return run


def _preparation(about: Mapping[str, Any]) -> Preparation:
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in about.items() if key != "shape"
    }
    return Preparation(**fields)


def prepared(
    wanted: Mapping[str, Preparation], shapes: Mapping[str, tuple[int, ...]], arrays: Mapping[str, Array]
) -> dict[str, Array]:
    """What the network itself would get of the raw ``arrays``; ``shapes`` are those that it takes."""
    graph = Graph("preparation")
    for name, shape in shapes.items():
        value = Value(name, TensorType("float32" if name in wanted else str(arrays[name].dtype), shape))
        graph.inputs.append(value)
    graph.outputs = list(graph.inputs)
    names = [value.name for value in graph.inputs]
    prepare_inputs(graph, wanted)
    found = interpret(graph, arrays)
    return dict(zip(names, (found[value.name] for value in graph.outputs), strict=True))
