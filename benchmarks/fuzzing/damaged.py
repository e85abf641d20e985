"""Damaged copies of models: the small ones of the tests, files in the folder EDGEOPT_MODELS, and runs of nodes cut out of those.

A whole file is only loaded and optimised: to compile and run it takes seconds. The runs of nodes are compiled and run.
"""

from __future__ import annotations

import os
import random
from functools import cache
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import GraphProto, ModelProto, NodeProto

from benchmarks.case_answers import generated_inputs
from benchmarks.fuzzing.misfits import Case
from benchmarks.fuzzing.mutation import mutate
from edgeopt.ir import Array
from tests.edgeopt import small_models

LARGEST = 3_000_000  # bytes of a file
MOST_INPUT = 1 << 26  # bytes of all inputs of a model that is run; the guards hold several copies
NODES = 6  # at most, of a run
Models = dict[str, bytes]


@cache
def originals() -> tuple[Models, Models]:
    """Serialised models by name: the small ones, and the real ones where the folder has any."""
    folder = os.environ.get("EDGEOPT_MODELS", "")
    files = sorted(Path(folder).glob("*/*.onnx")) if folder else []
    real = {path.stem: path.read_bytes() for path in files if path.stat().st_size < LARGEST}
    return {name: build().SerializeToString() for name, build in small_models.ALL.items()}, real


def damaged(number: int) -> Case:
    """Case ``number``: a damaged model with generated inputs; none when the damage leaves nothing to read."""
    chance = random.Random(number)
    small, real = originals()
    kind = chance.choice(("small", "file", "nodes", "nodes", "nodes")) if real else "small"
    name = chance.choice(list(small if kind == "small" else real))
    source = small[name] if kind == "small" else real[name] if kind == "file" else _cut(name, chance)
    model = mutate(source, chance)
    inputs = _inputs(model)
    fits = sum(a.nbytes for a in inputs.values()) <= MOST_INPUT
    return Case(f"{number}-{name}-{kind}", model, inputs, runs=kind != "file" and fits)


def _inputs(model: bytes) -> dict[str, Array]:
    try:
        return generated_inputs(ModelProto.FromString(model), 0)
    except (DecodeError, ValueError, KeyError, MemoryError, OverflowError):
        return {}


@cache
def _typed(name: str) -> ModelProto:
    return onnx.shape_inference.infer_shapes(ModelProto.FromString(originals()[1][name]))


def _cut(name: str, chance: random.Random) -> bytes:
    """A few consecutive nodes of a real model, as a model: what they read is an input, what they make is an output."""
    model = _typed(name)
    first = chance.randrange(len(model.graph.node))
    nodes = list(model.graph.node[first : first + chance.randint(1, NODES)])
    made = ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions)
    made.graph.CopyFrom(_subgraph(model.graph, nodes))
    return made.SerializeToString()


def _subgraph(graph: GraphProto, nodes: list[NodeProto]) -> GraphProto:
    read = dict.fromkeys(name for node in nodes for name in node.input if name)
    made = dict.fromkeys(name for node in nodes for name in node.output if name)
    types = {info.name: info for info in [*graph.input, *graph.value_info, *graph.output]}
    stored = [tensor for tensor in graph.initializer if tensor.name in read]
    names = {tensor.name for tensor in stored}
    return GraphProto(
        name="part",
        node=nodes,
        initializer=stored,
        input=[types[n] for n in read if n not in made and n not in names and n in types],
        output=[types.get(n, onnx.ValueInfoProto(name=n)) for n in made if n not in read],
    )
