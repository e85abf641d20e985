"""Transcendental functions written by the vector emitter."""

from __future__ import annotations

from llvmlite import ir

from edgeopt.kernels.emit.emitter import I16, I32, Emitter, Value

SATURATED = 3.9  # where the error function is 1 in float32, up to a rounding
# erf(x) / x as a polynomial in t = 2 x^2 / SATURATED^2 - 1, fitted by Chebyshev's points with the weight max(|x|, 0.3);
# in t, and not in x^2, the terms stay small, and the result is right to 2e-7
_TERMS = (
    *(0.362583965, -0.181011096, 0.134690791, -0.109531701, 0.0906751528, -0.0738115236, 0.0578708984, -0.0427361354),
    *(0.029246429, -0.0196655616, 0.0134005453, -0.00694883522, 0.00204881234, -0.00158549659, 0.00187805342, -0.000694070361),
)

_TANH = (-0.333332628, 0.13330898979, -0.053692962974, 0.020483301952, -0.0055286204442)


def exp(e: Emitter, x: Value) -> Value:
    """e^x with relative error below 2e-7, clamped to [-87.3, 88]: x = n ln 2 + r, 2^n by exponent, e^r by polynomial."""
    x = e.maximum(e.constant(-87.3), e.minimum(e.constant(88.0), x))  # in this order NaN stays NaN
    n = e.whole(e.mul(x, e.constant(1.44269504)))
    r = e.fma(n, e.constant(-0.693359375), x)
    r = e.fma(n, e.constant(2.12194440e-4), r)
    total = e.constant(1.9875691500e-4)
    for term in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1):
        total = e.fma(total, r, e.constant(term))
    total = e.add(e.fma(total, e.mul(r, r), r), e.constant(1.0))
    return _scaled(e, total, n)


def _scaled(e: Emitter, x: Value, n: Value) -> Value:
    """x * 2^n for whole n, with a normal result."""
    if e.target.architecture == "x86_64" and e.lanes == 16:
        mask, rounding = ir.Constant(I16, -1), ir.Constant(I32, 4)
        kind = ir.FunctionType(e.vector, [e.vector, e.vector, e.vector, I16, I32])
        return e.builder.call(e.declare("llvm.x86.avx512.mask.scalef.ps.512", kind), [x, n, x, mask, rounding])
    exponent = e.builder.add(e.builder.fptosi(n, e.int_vector), e.integers(127))
    return e.mul(x, e.builder.bitcast(e.builder.shl(exponent, e.integers(23)), e.vector))


def tanh(e: Emitter, x: Value) -> Value:
    """Hyperbolic tangent: an odd polynomial below 0.65, through exp above. NaN stays NaN."""
    z, total = e.mul(x, x), e.constant(_TANH[-1])
    for term in _TANH[-2::-1]:
        total = e.fma(total, z, e.constant(term))
    small = e.fma(e.mul(x, z), total, x)
    large = e.sub(e.constant(1.0), e.div(e.constant(2.0), e.add(exp(e, e.add(x, x)), e.constant(1.0))))
    near = e.builder.fcmp_ordered("<", z, e.constant(0.65**2))
    return e.builder.select(near, small, large)


def erf(e: Emitter, x: Value) -> Value:
    """The error function, with an absolute error below 3e-7. NaN stays NaN."""
    inside = e.maximum(e.constant(-SATURATED), e.minimum(e.constant(SATURATED), x))
    t = e.fma(e.mul(inside, inside), e.constant(2 / SATURATED**2), e.constant(-1.0))
    total = e.constant(_TERMS[-1])
    for term in _TERMS[-2::-1]:
        total = e.fma(total, t, e.constant(term))
    return e.mul(total, inside)
