from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from edgeopt.ir import Attribute
from edgeopt.kernels.call import Declined
from edgeopt.kernels.pointwise import unary
from tests.kernels.one_node import agree, integers, normal

OPS: dict[str, dict[str, Attribute]] = {
    "Relu": {},
    "LeakyRelu": {"alpha": 0.2},
    "ThresholdedRelu": {"alpha": 0.3},
    "Elu": {"alpha": 1.5},
    "Selu": {},
    "Celu": {"alpha": 0.7},
    "Sigmoid": {},
    "HardSigmoid": {"alpha": 0.3, "beta": 0.4},
    "HardSwish": {},
    "Mish": {},
    "Softplus": {},
    "Softsign": {},
    "Tanh": {},
    "Erf": {},
    "Gelu": {},
    "Shrink": {"lambd": 0.4, "bias": 0.1},
    "Exp": {},
    "Reciprocal": {},
    "Abs": {},
    "Neg": {},
    "Floor": {},
    "Ceil": {},
    "Round": {},
    "Sign": {},
    "Sin": {},
    "Cos": {},
    "Tan": {},
    "Atan": {},
    "Sinh": {},
    "Cosh": {},
    "Asinh": {},
}


@pytest.mark.parametrize("op", OPS)
def test_agrees_with_reference(op: str) -> None:
    agree(unary, op, [normal(3, 5, 7)], OPS[op], opset=22, rtol=2e-6)


@pytest.mark.parametrize("op", ["Log", "Sqrt", "Acos", "Asin", "Atanh", "Acosh"])
def test_functions_of_a_part_of_the_line(op: str) -> None:
    x = np.abs(normal(40)).clip(0.01, 0.9) + (1 if op == "Acosh" else 0)
    agree(unary, op, [x], rtol=2e-6)


def test_gelu_by_tanh() -> None:
    agree(unary, "Gelu", [normal(100)], {"approximate": "tanh"}, rtol=2e-6)


@pytest.mark.parametrize("dtype", ["float64", "float16"])
@pytest.mark.parametrize("op", ["Relu", "Exp", "Softplus", "Tanh"])
def test_other_floats(op: str, dtype: str) -> None:
    tolerance = 2e-3 if dtype == "float16" else 1e-12
    agree(unary, op, [normal(41, dtype=dtype)], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64"])
@pytest.mark.parametrize("op", ["Relu", "Abs", "Neg", "Sign", "BitwiseNot"])
def test_integers(op: str, dtype: str) -> None:
    agree(unary, op, [integers(33, dtype=dtype)])


def test_not() -> None:
    agree(unary, "Not", [normal(33) > 0])


SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 88.7, -87.0, 100.0, -100.0], np.float32)


@pytest.mark.parametrize("op", ["Exp", "Tanh", "Sigmoid", "Erf", "Relu", "Abs", "Sign", "IsNaN", "IsInf"])
def test_special_values(op: str) -> None:
    agree(unary, op, [SPECIAL], rtol=2e-6)


def test_logarithm_of_zero_negative_and_denormal() -> None:
    x = np.array([0.0, -1.0, 1e-40, np.inf, np.nan, 1.0], np.float32)
    agree(unary, "Log", [x], rtol=2e-6)


EXACT = {"Exp": np.exp, "Log": np.log, "Tanh": np.tanh, "Sigmoid": special.expit, "Erf": special.erf}


@pytest.mark.parametrize("op", EXACT)
def test_relative_error_over_the_whole_line(op: str) -> None:
    line = np.concatenate([np.linspace(-80, 80, 20001), np.linspace(-2, 2, 20001)])
    x = (np.abs(line) + 1e-6 if op == "Log" else line).astype(np.float32)
    exact = EXACT[op](x.astype(np.float64)).astype(np.float32)
    agree(unary, op, [x], expected=[exact], rtol=3e-7, atol=1e-37)


def test_more_than_one_chunk_on_two_threads() -> None:
    agree(unary, "LeakyRelu", [normal(3, 100, 101)], threads=2)


def test_declines_what_it_cannot_compute() -> None:
    with pytest.raises(Declined, match="Exp of element type int32"):
        unary.formula("Exp", "int32")


def test_powers_of_e_at_the_ends_of_the_range() -> None:
    largest = math.log(float(np.finfo(np.float32).max))
    x = np.array([largest, largest + 1e-4, -87.3, -88.0], np.float32)
    agree(unary, "Exp", [x], expected=[np.array([math.exp(x[0]), np.inf, math.exp(x[2]), 0], np.float32)], rtol=3e-7, atol=0)
