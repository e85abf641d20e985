"""Functions written by the vector emitter that numba kernels call with pointers and integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import _Intrinsic as Intrinsic

from edgeopt.kernels.emit.emitter import Emitter
from edgeopt.target import Target


class VectorFunction(Intrinsic):
    """A numba function of 1 to 7, 9 or 11 ``arguments`` without a result, whose code ``write(builder, *arguments)`` writes."""

    def __init__(self, arguments: int, write: Callable[..., None]) -> None:
        super().__init__("vector_function", _typing(arguments, write))
        self.arguments, self.write = arguments, write
        self._register()


def vector_function(target: Target, arguments: int, emit: Callable[..., None]) -> VectorFunction:
    """``emit(emitter, *arguments)`` as a numba function of 1 to 7, 9 or 11 arguments without a result."""
    return VectorFunction(arguments, lambda builder, *actual: emit(Emitter(target, builder), *actual))


def _typing(arguments: int, write: Callable[..., None]) -> Callable[..., Any]:
    """What numba asks for the type of a call; numba wants to see as many arguments as the function takes."""

    def generate(context: Any, builder: Any, signature: Any, actual: Any) -> Any:
        write(builder, *actual)
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

    def seven(context: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any) -> Any:
        return types.void(a, b, c, d, e, f, g), generate

    def nine(context: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any, i: Any) -> Any:
        return types.void(a, b, c, d, e, f, g, h, i), generate

    def eleven(context: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any, i: Any, j: Any, k: Any) -> Any:
        return types.void(a, b, c, d, e, f, g, h, i, j, k), generate

    forms: dict[int, Callable[..., Any]] = {
        **{1: one, 2: two, 3: three, 4: four, 5: five, 6: six, 7: seven},
        **{9: nine, 11: eleven},
    }
    return forms[arguments]
