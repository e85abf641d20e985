"""Division of many floats by one number, rounded as a division is, by multiplications."""

from __future__ import annotations

from edgeopt.kernels.emit.emitter import Emitter, Value


def quotient(e: Emitter, value: Value, divisor: Value, inverse: Value, largest: float | None) -> Value:
    """value / divisor, with ``inverse`` = 1 / divisor rounded; limited to +-``largest`` where that is given.

    The quotient is corrected by its remainder, which rounds as a division does (Markstein, IA-64 and Elementary Functions, 2000).
    """
    if not e.target.fma:
        return limited(e, e.div(value, divisor), largest)
    first = limited(e, e.mul(value, inverse), largest)
    remainder = e.fma(first, e.sub(e.constant(0.0), divisor), value)
    return limited(e, e.fma(remainder, inverse, first), largest)


def limited(e: Emitter, value: Value, largest: float | None) -> Value:
    """``value`` between -largest and largest."""
    if largest is None:
        return value
    return e.maximum(e.minimum(value, e.constant(largest)), e.constant(-largest))
