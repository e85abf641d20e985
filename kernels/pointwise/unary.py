"""Elementwise functions of one tensor: activations, rounding, tests, and the mathematical functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from edgeopt.ir import Node
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Site
from edgeopt.kernels.emit.elements import FLOATS, INTEGERS, Scalar, loader, scalar, static, storer
from edgeopt.kernels.emit.intrinsics import ceil, fabs, floor, inline, rint, sqrt
from edgeopt.kernels.emit.math import function
from edgeopt.kernels.walk.strided import grid, row_major

Formula = Callable[[Any, Any, Any], Any]
_SELU = (1.6732632423543772, 1.0507009873554805)


def _activations(kind: Scalar) -> dict[str, Formula]:
    zero, one, half, two, three, six = (kind(v) for v in (0, 1, 0.5, 2, 3, 6))
    root, pipe = kind(math.sqrt(0.5)), kind(math.sqrt(2 / math.pi))
    cubic = kind(0.044715)
    exp, expm1, log1p, tanh, erf, sigmoid = (function(n, kind) for n in ("exp", "expm1", "log1p", "tanh", "erf", "sigmoid"))
    negative = inline(lambda x: zero if x > zero else x)
    softplus = inline(lambda x: (zero if x < zero else x) + log1p(exp(-fabs(x))))
    unit = inline(lambda x: zero if x < zero else (one if x > one else x))
    return {
        "Identity": lambda x, a, b: x,
        "Relu": lambda x, a, b: zero if x < zero else x,
        "LeakyRelu": lambda x, a, b: a * x if x < zero else x,
        "ThresholdedRelu": lambda x, a, b: x if x > a else zero,
        "Elu": lambda x, a, b: a * expm1(negative(x)) if x < zero else x,
        "Selu": lambda x, a, b: b * (a * expm1(negative(x)) if x <= zero else x),
        "Celu": lambda x, a, b: (zero if x < zero else x) + a * expm1(negative(x / a)),
        "Sigmoid": lambda x, a, b: sigmoid(x),
        "HardSigmoid": lambda x, a, b: unit(a * x + b),
        "HardSwish": lambda x, a, b: x * unit(x / six + half),
        "Silu": lambda x, a, b: x * sigmoid(x),
        "Swish": lambda x, a, b: x * sigmoid(a * x),
        "Mish": lambda x, a, b: x * tanh(softplus(x)),
        "Softplus": lambda x, a, b: softplus(x),
        "Softsign": lambda x, a, b: x / (one + fabs(x)),
        "Tanh": lambda x, a, b: tanh(x),
        "Erf": lambda x, a, b: erf(x),
        "Gelu": lambda x, a, b: half * x * (one + erf(x * root)),
        "Gelu tanh": lambda x, a, b: half * x * (one + tanh(pipe * (x + cubic * x * x * x))),
        "Affine": lambda x, a, b: a * x + b,
        "ScaledTanh": lambda x, a, b: a * tanh(b * x),
        "Shrink": lambda x, a, b: x + b if x < -a else (x - b if x > a else zero),
        "Clip": lambda x, a, b: a if x < a else (b if x > b else x),
    }


def _mathematics(kind: Scalar) -> dict[str, Formula]:
    one, zero, infinity = kind(1), kind(0), kind(np.inf)
    exp, log = function("exp", kind), function("log", kind)
    return {
        "Exp": lambda x, a, b: exp(x),
        "Log": lambda x, a, b: log(x),
        "Sqrt": lambda x, a, b: sqrt(x),
        "Reciprocal": lambda x, a, b: one / x,
        "Abs": lambda x, a, b: fabs(x),
        "Neg": lambda x, a, b: -x,
        "Floor": lambda x, a, b: floor(x),
        "Ceil": lambda x, a, b: ceil(x),
        "Round": lambda x, a, b: rint(x),
        "Sign": lambda x, a, b: one if x > zero else (-one if x < zero else x),
        "IsNaN": lambda x, a, b: x != x,
        "IsInf": lambda x, a, b: (x == infinity and a != zero) or (x == -infinity and b != zero),
        "Sin": lambda x, a, b: math.sin(x),
        "Cos": lambda x, a, b: math.cos(x),
        "Tan": lambda x, a, b: math.tan(x),
        "Asin": lambda x, a, b: math.asin(x),
        "Acos": lambda x, a, b: math.acos(x),
        "Atan": lambda x, a, b: math.atan(x),
        "Sinh": lambda x, a, b: math.sinh(x),
        "Cosh": lambda x, a, b: math.cosh(x),
        "Asinh": lambda x, a, b: math.asinh(x),
        "Acosh": lambda x, a, b: math.acosh(x),
        "Atanh": lambda x, a, b: math.atanh(x),
    }


_INTEGER: dict[str, Formula] = {
    "Identity": lambda x, a, b: x,
    "Relu": lambda x, a, b: x if x > 0 else 0 * x,
    "Abs": lambda x, a, b: x if x > 0 else -x,
    "Neg": lambda x, a, b: -x,
    "Sign": lambda x, a, b: np.int64(x > 0) - np.int64(x < 0),
    "BitwiseNot": lambda x, a, b: ~x,
}
_BOOLEAN: dict[str, Formula] = {"Not": lambda x, a, b: x == 0}
_BUILDING_BLOCKS = ("Identity", "Clip", "Gelu tanh", "Affine", "ScaledTanh")
_NAMES = {**_activations(np.float32), **_mathematics(np.float32), **_INTEGER, **_BOOLEAN}


@cache
def formula(name: str, dtype: str) -> Formula:
    """The inline function (x, a, b) of ``name`` on elements of ``dtype``; a and b are its parameters. Raises Declined."""
    kind = scalar(dtype)
    table = _BOOLEAN if dtype == "bool" else _INTEGER if dtype in INTEGERS else {**_activations(kind), **_mathematics(kind)}
    if name not in table:
        raise Declined(f"{name} of element type {dtype}")
    return inline(table[name])


@cache
def _kernel(name: str, source: str, result: str) -> Callable[..., None]:
    load, store, apply = loader(source), storer(result), formula(name, source)
    kind = scalar(source) if source in FLOATS else np.int64

    def kernel(x: Any, y: Any, begin: Any, end: Any, n: Any, a: Any, b: Any) -> None:
        alpha, beta = kind(a), kind(b)
        for i in range(begin * n, end * n):
            store(y, i, apply(load(x, i), alpha, beta))

    return kernel


def parameters(node: Node) -> tuple[float, float]:
    """The two parameters of the activation ``node``, with the defaults of ONNX."""
    if node.op == "IsInf":
        return float(node.integer("detect_positive", 1)), float(node.integer("detect_negative", 1))
    if node.op == "Shrink":
        return node.real("lambd", 0.5), node.real("bias", 0.0)
    if node.op == "Selu":
        return node.real("alpha", _SELU[0]), node.real("gamma", _SELU[1])
    default = {"LeakyRelu": 0.01, "HardSigmoid": 0.2}.get(node.op, 1.0)
    return node.real("alpha", default), node.real("beta", 0.5)


def _select(site: Site) -> tuple[KernelCall, ...]:
    x, y = site.given(0), site.outputs[0]
    static(x, y)
    name = "Gelu tanh" if site.node.op == "Gelu" and site.node.text("approximate", "none") == "tanh" else site.node.op
    cells = grid(y.shape, row_major(y.shape))
    function = _kernel(name, x.type.dtype, y.type.dtype)
    constants = (y.elements // cells.chunks if cells.chunks else 0, *parameters(site.node))
    return (KernelCall(function, (Input(0), Output(0)), constants, cells.chunks),)


KERNEL = Kernel("unary", tuple(n for n in _NAMES if n not in _BUILDING_BLOCKS), _select)
