from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import Array, TensorType
from edgeopt.kernels.reduce import reduce
from tests.kernels.one_node import agree, compiled, declined, int64, integers, kernels, normal, one_node

OPS = [f"Reduce{op}" for op in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")]


def _data(op: str, *shape: int) -> Array:
    return np.abs(normal(*shape)) + np.float32(0.1) if op == "ReduceLogSum" else normal(*shape)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("axes", [(1,), (0, 2), (1, 3), None], ids=str)
def test_agrees_with_reference(op: str, axes: tuple[int, ...] | None) -> None:
    inputs = [_data(op, 3, 4, 5, 6)] + ([] if axes is None else [int64(*axes)])
    agree(reduce, op, inputs, {"keepdims": 0}, constant=[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("axes", [(0,), (-1,), (1, 2), (0, 1, 2, 3)], ids=str)
def test_every_arrangement_of_kept_dimensions(axes: tuple[int, ...]) -> None:
    agree(reduce, "ReduceMean", [normal(3, 4, 5, 6), int64(*axes)], constant=[1], rtol=1e-5, atol=1e-5)


def test_axes_as_attribute() -> None:
    agree(reduce, "ReduceMax", [normal(3, 4, 5)], {"axes": [1], "keepdims": 0}, opset=13)


def test_no_axes_is_a_copy_when_asked_for() -> None:
    agree(reduce, "ReduceSum", [normal(3, 4), np.zeros(0, np.int64)], {"noop_with_empty_axes": 1}, constant=[1])


@pytest.mark.parametrize("op", ["ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceSumSquare"])
def test_integers(op: str) -> None:
    agree(reduce, op, [integers(3, 4, low=-3, high=4), int64(1)], constant=[1])


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_other_floats(dtype: str) -> None:
    tolerance = 2e-3 if dtype == "float16" else 1e-12
    agree(reduce, "ReduceMean", [normal(3, 40, dtype=dtype), int64(1)], constant=[1], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
def test_global_pools(op: str) -> None:
    agree(reduce, op, [normal(2, 3, 5, 6)], rtol=1e-5)


def test_log_sum_exp_of_large_numbers() -> None:
    agree(reduce, "ReduceLogSumExp", [np.array([[1e4, 1e4], [-1e4, -1e4]], np.float32), int64(1)], constant=[1])


def test_declines_axes_that_are_computed() -> None:
    graph = one_node("ReduceSum", [normal(3, 4), int64(1)])
    graph.outputs[0].type = TensorType("float32", (3, 1))
    assert "input 1 is not a constant" in declined(reduce, graph)


@pytest.mark.parametrize("shape", [(1, 20000), (3, 50000), (2, 2, 17000), (20001, 4)], ids=str)
@pytest.mark.parametrize("op", ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceL1", "ReduceL2", "ReduceProd"])
def test_long_reductions_are_taken_in_blocks(op: str, shape: tuple[int, ...]) -> None:
    axis = 0 if shape[0] > 1000 else len(shape) - 1
    inputs = [np.abs(normal(*shape)) * 0 + np.float32(1) if op == "ReduceProd" else normal(*shape), int64(axis)]
    agree(reduce, op, inputs, constant=[1], rtol=1e-5, atol=1e-4)


def test_a_sum_goes_on_beyond_what_one_float_takes_in() -> None:
    ones = np.ones((3 << 23, 4), np.float32)
    graph = one_node("ReduceSum", [ones, int64(0)], {"keepdims": 0}, constant=[1])
    (total,) = compiled(graph, kernels(reduce)).run({"x0": ones}).values()
    np.testing.assert_array_equal(total, np.float32(3 << 23))
