"""Functions written by the vector emitter that numba kernels call with pointers and integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import intrinsic

from edgeopt.kernels.emit.emitter import Emitter
from edgeopt.target import Target


def vector_function(target: Target, arguments: int, emit: Callable[..., None]) -> Any:
    """``emit(emitter, *arguments)`` as a numba function of 1 to 6 arguments without a result."""

    def generate(context: Any, builder: Any, signature: Any, actual: Any) -> Any:
        emit(Emitter(target, builder), *actual)
        return context.get_dummy_value()

    def one(context: Any, a: Any) -> Any:
        return types.void(a), generate

    def two(context: Any, a: Any, b: Any) -> Any:
        return types.void(a, b), generate

    def three(context: Any, a: Any, b: Any, c: Any) -> Any:
        return types.void(a, b, c), generate

    def four(context: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
        return types.void(a, b, c, d), generate

    def five(context: Any, a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
        return types.void(a, b, c, d, e), generate

    def six(context: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Any:
        return types.void(a, b, c, d, e, f), generate

    return intrinsic((one, two, three, four, five, six)[arguments - 1])
