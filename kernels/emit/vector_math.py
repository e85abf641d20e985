"""Transcendental functions written by the vector emitter, besides its own ``exp``."""

from __future__ import annotations

from edgeopt.kernels.emit.emitter import Emitter, Value

SATURATED = 3.9  # where the error function is 1 in float32, up to a rounding
# erf(x) / x as a polynomial in t = 2 x^2 / SATURATED^2 - 1, fitted by Chebyshev's points with the weight max(|x|, 0.3);
# in t, and not in x^2, the terms stay small, and the result is right to 2e-7
_TERMS = (
    *(0.362583965, -0.181011096, 0.134690791, -0.109531701, 0.0906751528, -0.0738115236, 0.0578708984, -0.0427361354),
    *(0.029246429, -0.0196655616, 0.0134005453, -0.00694883522, 0.00204881234, -0.00158549659, 0.00187805342, -0.000694070361),
)

_TANH = (-0.333332628, 0.13330898979, -0.053692962974, 0.020483301952, -0.0055286204442)


def tanh(e: Emitter, x: Value) -> Value:
    """Hyperbolic tangent: an odd polynomial below 0.65, through exp above. NaN stays NaN."""
    z, total = e.mul(x, x), e.constant(_TANH[-1])
    for term in _TANH[-2::-1]:
        total = e.fma(total, z, e.constant(term))
    small = e.fma(e.mul(x, z), total, x)
    large = e.sub(e.constant(1.0), e.div(e.constant(2.0), e.add(e.exp(e.add(x, x)), e.constant(1.0))))
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
