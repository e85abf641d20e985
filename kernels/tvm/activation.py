"""Activations of float vectors in TIR, by formulas of their own."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.polynomial import chebyshev
from tvm import tirx

from edgeopt.kernels.call import Declined
from edgeopt.kernels.emit.epilogue import Activation
from edgeopt.kernels.tvm.writer import Value, constant, fma, intrinsic, lanes_of, let, type_of

_EXP = (1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0)  # Taylor's, within half of ln 2
_SATURATED = 3.9  # where the error function is 1, up to a rounding


def _erf_terms() -> tuple[float, ...]:
    """erf(x) / x as a polynomial in t = 2 x^2 / 3.9^2 - 1, the constant first: by its values at 16 of Chebyshev's points."""
    points = chebyshev.chebpts1(16)
    x = _SATURATED * np.sqrt((points + 1) / 2)
    values = np.array([math.erf(each) for each in x]) / x
    return tuple(map(float, chebyshev.cheb2poly(chebyshev.chebfit(points, values, 15))))


_ERF = _erf_terms()


def activated(how: Activation, x: Value, slope: Value | None = None) -> Value:
    """The activation of a vector, with the vector ``slope`` where it has slopes; a lane that is not a number stays so.

    Raises Declined for one without TIR.
    """
    if slope is not None:
        return _FORMULAS["LeakyRelu"](let(x), slope, slope)
    if how.kind not in _FORMULAS:
        raise Declined(f"activation '{how.kind}' has no TIR")
    return _FORMULAS[how.kind](let(x), _like(x, how.alpha), _like(x, how.beta))


def exp(x: Value) -> Value:
    """e^x: 2^n e^r with whole n and r of at most half ln 2; clamped to where 2^n is a normal number."""
    x = let(lesser(greater(x, _like(x, -87.3)), _like(x, 88.0)))
    n = let(intrinsic("rint", x * _like(x, 1 / math.log(2))))
    r = let(fma(n, _like(x, 2.12194440e-4), fma(n, _like(x, -0.693359375), x)))
    total = _like(x, 1 / 720)
    for term in _EXP:
        total = let(fma(total, r, _like(x, term)))
    kind = type_of(x).replace("float", "int")
    power = (n.astype(kind) + constant(127, lanes_of(x), "int32")) << constant(23, lanes_of(x), "int32")
    return total * tirx.reinterpret(type_of(x), power)


def tanh(x: Value) -> Value:
    """Hyperbolic tangent, by e^2x; right to 2e-7 in absolute terms."""
    return _like(x, 1.0) - _like(x, 2.0) / (exp(x + x) + _like(x, 1.0))


def erf(x: Value) -> Value:
    """The error function, right to 3e-7 in absolute terms; without a division, which takes as long as the whole polynomial."""
    inside = let(lesser(greater(x, _like(x, -_SATURATED)), _like(x, _SATURATED)))
    t = let(fma(inside * inside, _like(x, 2 / _SATURATED**2), _like(x, -1.0)))
    total = _like(x, _ERF[-1])
    for term in _ERF[-2::-1]:
        total = let(fma(total, t, _like(x, term)))
    return total * inside


def sigmoid(x: Value) -> Value:
    """1 / (1 + e^-x)."""
    return _like(x, 1.0) / (exp(_like(x, 0.0) - x) + _like(x, 1.0))


def greater(a: Value, b: Value) -> Value:
    """The greater; a where it is not a number."""
    a, b = let(a), let(b)
    return tirx.Select(a < b, b, a)


def lesser(a: Value, b: Value) -> Value:
    """The lesser; a where it is not a number."""
    a, b = let(a), let(b)
    return tirx.Select(b < a, b, a)


def _like(x: Value, value: float) -> Value:
    return constant(value, lanes_of(x))


def _unit(x: Value) -> Value:
    return lesser(greater(x, _like(x, 0.0)), _like(x, 1.0))


def _gelu(x: Value) -> Value:
    made = x * _like(x, 0.5) * (erf(x * _like(x, math.sqrt(0.5))) + _like(x, 1.0))
    return tirx.Select(x < _like(x, -_SATURATED * math.sqrt(2)), _like(x, 0.0), made)  # a rounding of erf times x is much there


def _gelu_tanh(x: Value) -> Value:
    cubic = fma(x * x * x, _like(x, 0.044715), x)
    return x * _like(x, 0.5) * (tanh(cubic * _like(x, math.sqrt(2 / math.pi))) + _like(x, 1.0))


_FORMULAS: dict[str, Callable[[Value, Value, Value], Value]] = {
    "": lambda x, a, b: x,
    "Relu": lambda x, a, b: greater(x, _like(x, 0.0)),
    "Clip": lambda x, a, b: lesser(greater(x, a), b),
    "LeakyRelu": lambda x, a, b: tirx.Select(x < _like(x, 0.0), x * a, x),
    "HardSigmoid": lambda x, a, b: _unit(fma(x, a, b)),
    "HardSwish": lambda x, a, b: x * _unit(fma(x, _like(x, 1 / 6), _like(x, 0.5))),
    "Sigmoid": lambda x, a, b: sigmoid(x),
    "Silu": lambda x, a, b: x * sigmoid(x),
    "Tanh": lambda x, a, b: tanh(x),
    "Gelu": lambda x, a, b: _gelu(x),
    "GeluTanh": lambda x, a, b: _gelu_tanh(x),
    "Erf": lambda x, a, b: erf(x),
}
