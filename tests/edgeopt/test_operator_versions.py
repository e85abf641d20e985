"""Operators at each of their versions from opset 7 on mean what onnxruntime makes of them, interpreted and compiled."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import onnx
import pytest

import edgeopt
from edgeopt.frontend import load
from edgeopt.frontend.versions import ADAPTERS
from edgeopt.interpret import interpret
from tests.edgeopt.operator_versions import CASES, Case, Constant, model_of, real, schema_versions
from tests.edgeopt.runtime_oracle import run

OPSETS = sorted({version for case in CASES for version in case.versions()})


@lru_cache
def subject(opset: int) -> tuple[onnx.ModelProto, dict[str, Any], dict[str, Any]]:
    """The model of the nodes whose version begins at ``opset``, its inputs, and what onnxruntime computes."""
    model, feeds = model_of([case for case in CASES if opset in case.versions()], opset)
    return model, feeds, run(model, feeds)


def same(actual: dict[str, Any], expected: dict[str, Any]) -> None:
    """Every output agrees in type, shape and numbers."""
    wrong = []
    for name, array in expected.items():
        got = np.asarray(actual[name])
        alike = got.dtype == array.dtype and got.shape == array.shape
        exact = array.dtype.kind != "f"
        tolerance = 2e-3 if array.dtype == np.float16 else 2e-5
        if not alike or not (
            np.array_equal(got, array) if exact else np.allclose(got, array, tolerance, tolerance, equal_nan=True)
        ):
            wrong.append(f"{name}: {got.dtype}{got.shape} where {array.dtype}{array.shape} is right")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("opset", OPSETS)
def test_interpreted(opset: int) -> None:
    model, feeds, expected = subject(opset)
    same(interpret(load(model), feeds), expected)


@pytest.mark.parametrize(("opset", "level"), [(7, 0), (10, 1), (13, 1)])
def test_compiled(opset: int, level: int) -> None:
    model, feeds, expected = subject(opset)
    same(edgeopt.compile(model, level=level).run(feeds), expected)


def test_what_changes_until_opset_13_is_adapted() -> None:
    """An attribute that was dropped, or an operator that was withdrawn, has a rule of its own."""
    for name in sorted({s.name for s in onnx.defs.get_all_schemas_with_history() if not s.domain}):
        for version in range(7, 13):
            old, new = (_schema(name, v) for v in (version, 13))
            if old is None or old.deprecated:
                continue
            adapted = name in ADAPTERS and version < ADAPTERS[name].below
            assert adapted or (new is not None and not new.deprecated and set(old.attributes) <= set(new.attributes)), (
                name,
                version,
            )


def _schema(name: str, version: int) -> onnx.defs.OpSchema | None:
    try:
        return onnx.defs.get_schema(name, version)
    except onnx.defs.SchemaError:
        return None


def test_every_adapter_is_tried() -> None:
    tried = {case.op for case in CASES if case.op in ADAPTERS and case.versions()[0] < ADAPTERS[case.op].below}
    assert set(ADAPTERS) - tried == {"RNN", "Scan"}


def test_each_case_is_tried_at_all_its_versions() -> None:
    assert Case("Softmax", []).versions() == [7, 11, 13]
    assert schema_versions("Resize") == (10, 11, 13, 18, 19)


@pytest.mark.parametrize("op", ["LSTM", "GRU", "RNN"])
def test_recurrent_networks_with_the_batch_first(op: str) -> None:
    """onnxruntime has no kernel for it, so the same network is fed with the sequence first."""
    states, gates = {"LSTM": 2, "GRU": 1, "RNN": 1}[op], {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
    x, initial = real(3, 2, 4), [real(1, 2, 3) for _ in range(states)]
    weights = [Constant(real(1, gates * 3, n)) for n in (4, 3)]
    attributes = {"hidden_size": 3}
    model, feeds = model_of([Case(op, [x, *weights, None, None, *initial], attributes, outputs=1 + states)], 14)
    y, *last = run(model, feeds).values()
    turned = [array.swapaxes(0, 1).copy() for array in (x, *initial)]
    first = Case(op, [turned[0], *weights, None, None, *turned[1:]], {**attributes, "layout": 1}, outputs=1 + states)
    model, feeds = model_of([first], 14)
    expected = [y.transpose(2, 0, 1, 3), *(array.swapaxes(0, 1) for array in last)]
    same(interpret(load(model), feeds), dict(zip((o.name for o in model.graph.output), expected, strict=True)))
