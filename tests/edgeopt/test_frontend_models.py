"""Real models: import, export, check, and the same outputs from onnxruntime before and after."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgeopt.frontend import export, load
from edgeopt.interpret import interpret
from edgeopt.ir import Array, Graph, verify
from tests.edgeopt.runtime_oracle import run

FOLDER = os.environ.get("EDGEOPT_MODELS", "")
FILES = sorted(Path(FOLDER).glob("models/*.onnx")) + sorted(Path(FOLDER).glob("coverage/*.onnx")) if FOLDER else []
SHAPES = {"silero_vad_v5": {"input": (1, 512), "state": (2, 1, 128)}}
VALUES = {"sr": np.asarray(16000, np.int64)}
# Integer networks: rounding ties in onnx.reference differ from onnxruntime by one step, which the network then magnifies.
LOOSE = {"coral_movenet"}

# The detector reads raw pixels; on darker input its scores are so near zero that their range is rounding noise.
SCALES = {"yunet_n_320": 255.0}

pytestmark = pytest.mark.skipif(not FILES, reason="EDGEOPT_MODELS names no folder with models/ and coverage/")


def inputs_of(graph: Graph, scale: float = 1.0) -> dict[str, Array]:
    """Seeded random inputs: small integers for integer types, numbers from 0 to ``scale`` otherwise."""
    random = np.random.default_rng(3)
    arrays: dict[str, Array] = {}
    for value in graph.inputs:
        assert value.type is not None
        dtype = np.dtype(value.type.dtype)
        numbers = random.integers(0, 255, value.type.dims) if dtype.kind in "iu" else random.random(value.type.dims) * scale
        arrays[value.name] = VALUES.get(value.name, numbers.astype(dtype))
    return arrays


def worst(left: Mapping[str, Array], right: Mapping[str, Array]) -> float:
    """The largest difference of any output, relative to the range of that output."""
    errors = []
    for name, array in left.items():
        exact = array.astype(np.float64)
        errors.append(float(np.abs(right[name].astype(np.float64) - exact).max() / (np.ptp(exact) or 1.0)))
    return max(errors)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_round_trip_keeps_every_output(path: Path) -> None:
    graph = load(path, SHAPES.get(path.stem))
    verify(graph)
    model = export(graph)
    onnx.checker.check_model(model, full_check=True)
    inputs = inputs_of(graph)
    before, after = run(str(path), inputs), run(model, inputs)
    assert before.keys() == after.keys()
    for name, array in before.items():
        np.testing.assert_array_equal(array, after[name])


@pytest.mark.parametrize("path", [p for p in FILES if p.stem not in LOOSE], ids=lambda p: p.stem)
def test_interpret_agrees_with_onnxruntime(path: Path) -> None:
    graph = load(path, SHAPES.get(path.stem))
    inputs = inputs_of(graph, SCALES.get(path.stem, 1.0))
    assert worst(run(str(path), inputs), interpret(graph, inputs)) <= 1e-4


@pytest.mark.parametrize("path", [p for p in FILES if p.stem != "silero_vad_v5"], ids=lambda p: p.stem)
def test_every_shape_is_static(path: Path) -> None:
    graph = load(path)
    open_values = [v.name for n in graph.nodes for v in n.outputs if v.name and (v.type is None or not v.type.static)]
    assert open_values == []


@pytest.mark.skipif("silero_vad_v5" not in {p.stem for p in FILES}, reason="silero_vad_v5.onnx is absent")
def test_the_branch_that_cannot_run_leaves_the_types_of_the_other() -> None:
    graph = load(Path(FOLDER) / "coverage" / "silero_vad_v5.onnx", SHAPES["silero_vad_v5"])
    assert [str(out.type) for out in graph.outputs] == ["float32[1,1]", "float32[2,1,128]"]
