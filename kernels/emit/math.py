"""Transcendental functions on float32 that vectorise and give the same result on every target.

Each is a range reduction and a polynomial fitted to relative error (weighted minimax) below 1e-8, so rounding dominates:
about 2 ulp. NaN stays NaN, infinities give their limits, results below the smallest normal number become zero.
``function`` picks these for float32 and the C library for float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from edgeopt.kernels.emit.intrinsics import bits_to_float, float_to_bits, inline, rint

_LOG2E = np.float32(1.4426950408889634)
_LN2_HIGH = np.float32(0.693359375)
_LN2_LOW = np.float32(-2.12194440054690583e-4)
_ZERO, _HALF, _ONE, _TWO = (np.float32(v) for v in (0, 0.5, 1, 2))
_INFINITY = np.float32(np.inf)
_NAN = np.float32(np.nan)
_EXP_LOW, _EXP_HIGH = np.float32(-87.33654), np.float32(88.72283)
_E = tuple(np.float32(v) for v in (0.5, 0.16666512191, 0.041666187346, 0.0083695985377, 0.001395171741))
_T = tuple(np.float32(v) for v in (-0.333332628, 0.13330898979, -0.053692962974, 0.020483301952, -0.0055286204442))
_L = tuple(
    np.float32(v)
    for v in (
        *(0.33333310485, -0.24999985099, 0.20002275705, -0.16669331491, 0.14217653871),
        *(-0.12382192910, 0.11878716200, -0.11805916578, 0.06921814382),
    )
)
_R_SMALL = tuple(
    np.float32(v)
    for v in (1.1283791065, -0.37612625957, 0.1128360033, -0.026854444295, 0.0051895352, -0.00080208416, 0.000078891193)
)
_R_LARGE = tuple(
    np.float32(v)
    for v in (-0.00035370397, -1.1270401478, -0.63822555542, -0.10303746164, 0.021805362776, -0.0029396187, 0.00018557518)
)
_SQRT_HALF = np.float32(0.70710678)
_TINY = np.float32(1.17549435e-38)
_SCALE = np.float32(8388608.0)


@intrinsic
def multiply_add(context: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, fused where the target can; reassociation does not look inside, which keeps range reduction exact."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = arguments[0].type
        function = builder.module.declare_intrinsic("llvm.fmuladd", [kind], ir.FunctionType(kind, [kind] * 3))
        return builder.call(function, arguments)

    return a(a, a, a), generate


@intrinsic
def fmod(context: Any, a: Any, b: Any) -> Any:
    """The remainder of a / b that has the sign of a (the C library's ``fmod``)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.frem(*arguments)

    return a(a, a), generate


@inline
def exp(x: Any) -> Any:
    """e to the x."""
    low = x if x > _EXP_LOW else _EXP_LOW
    inside = low if low < _EXP_HIGH else _EXP_HIGH
    n = rint(inside * _LOG2E)
    r = multiply_add(n, -_LN2_LOW, multiply_add(n, -_LN2_HIGH, inside))
    p = _E[0] + r * (_E[1] + r * (_E[2] + r * (_E[3] + r * _E[4])))
    p = multiply_add(r * r, p, r) + _ONE
    value = bits_to_float(np.int32(float_to_bits(p) + (np.int32(n) << np.int32(23))))
    value = _ZERO if x < _EXP_LOW else value
    value = _INFINITY if x > _EXP_HIGH else value
    return value if x == x else x


@inline
def sigmoid(x: Any) -> Any:
    """1 / (1 + e to the -x)."""
    return _ONE / (_ONE + exp(-x))


@inline
def tanh(x: Any) -> Any:
    """Hyperbolic tangent: odd polynomial below 0.65, through exp above."""
    a = -x if x < _ZERO else x
    z = x * x
    small = x + x * z * (_T[0] + z * (_T[1] + z * (_T[2] + z * (_T[3] + z * _T[4]))))
    large = _ONE - _TWO / (exp(_TWO * a) + _ONE)
    large = -large if x < _ZERO else large
    return small if a < np.float32(0.65) else large


@inline
def _logarithm_tail(f: Any) -> Any:
    p = _L[5] + f * (_L[6] + f * (_L[7] + f * _L[8]))
    return _L[0] + f * (_L[1] + f * (_L[2] + f * (_L[3] + f * (_L[4] + f * p))))


@inline
def log(x: Any) -> Any:
    """Natural logarithm; zero gives minus infinity, negative numbers give NaN."""
    scaled = x * _SCALE if x < _TINY else x
    bits = float_to_bits(scaled)
    exponent = np.int32((bits >> np.int32(23)) - np.int32(126))
    m = bits_to_float(np.int32((bits & np.int32(0x7FFFFF)) | np.int32(0x3F000000)))
    low = m < _SQRT_HALF
    e = np.float32(exponent) - (_ONE if low else _ZERO) - (np.float32(23) if x < _TINY else _ZERO)
    f = (m + m if low else m) - _ONE
    z = f * f
    y = multiply_add(f * z, _logarithm_tail(f), e * _LN2_LOW)
    value = multiply_add(e, _LN2_HIGH, f + multiply_add(z, -_HALF, y))
    value = x if x == _INFINITY else value
    value = -_INFINITY if x == _ZERO else value
    return value if x >= _ZERO else _NAN


@inline
def log1p(x: Any) -> Any:
    """log(1 + x): the polynomial of ``log`` itself near zero."""
    z = x * x
    small = x + multiply_add(x * z, _logarithm_tail(x), -_HALF * z)
    near = np.float32(-0.29) < x < np.float32(0.41)
    return small if near else log(_ONE + x)


@inline
def expm1(x: Any) -> Any:
    """e to the x minus 1: e^x - 1 = 2 t / (1 - t) with t = tanh(x / 2) near zero."""
    t = tanh(x * _HALF)
    a = -x if x < _ZERO else x
    return (t + t) / (_ONE - t) if a < _HALF else exp(x) - _ONE


@inline
def erf(x: Any) -> Any:
    """Error function: odd polynomial below 1, 1 - exp(polynomial) above."""
    a = -x if x < _ZERO else x
    b = a if a < np.float32(4) else np.float32(4)
    z = b * b
    s, q = _R_SMALL, _R_LARGE
    small = x * (s[0] + z * (s[1] + z * (s[2] + z * (s[3] + z * (s[4] + z * (s[5] + z * s[6]))))))
    large = _ONE - exp(q[0] + b * (q[1] + b * (q[2] + b * (q[3] + b * (q[4] + b * (q[5] + b * q[6]))))))
    large = -large if x < _ZERO else large
    return small if a < _ONE else (large if x == x else x)


_SINGLE = {"exp": exp, "log": log, "log1p": log1p, "expm1": expm1, "tanh": tanh, "erf": erf, "sigmoid": sigmoid}
_DOUBLE = {
    "exp": inline(lambda x: math.exp(x)),
    "log": inline(lambda x: math.log(x)),
    "log1p": inline(lambda x: math.log1p(x)),
    "expm1": inline(lambda x: math.expm1(x)),
    "tanh": inline(lambda x: math.tanh(x)),
    "erf": inline(lambda x: math.erf(x)),
    "sigmoid": inline(lambda x: 1.0 / (1.0 + math.exp(-x))),
}


def function(name: str, kind: type[np.generic]) -> Callable[..., Any]:
    """The inline function ``name`` (exp, log, log1p, expm1, tanh, erf, sigmoid) on scalars of type ``kind``."""
    return (_SINGLE if kind is np.float32 else _DOUBLE)[name]
