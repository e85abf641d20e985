"""A kernel function as an outline with numbers and parts left open, so that variants are captured once.

A factory bakes integers and functions of the vector emitter into the kernel it makes. numba takes a tenth of a second and more
to capture a function, however little it differs from one it has seen. So what differs is taken out of the closure: an integer
becomes a ``Number``, a function of the emitter a call of an unknown ``part_N``, through functions that are inlined too. Kernels
with equal outlines share what was captured. Numbers come back as constant arguments of a call, which LLVM specialises as it
does others; parts are written without numba (``edgeopt.codegen.parts``).
"""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

import numba
from llvmlite import ir
from numba.core.dispatcher import Dispatcher

from edgeopt.codegen.parts import unknown_name
from edgeopt.kernels.emit.emitter import declared
from edgeopt.kernels.emit.vector_function import VectorFunction

LEAST, MOST = -(1 << 63), (1 << 63) - 1


@dataclass(frozen=True, eq=False)
class Number:
    """An integer of which only its place among the numbers of a kernel is known.

    numba prunes branches by the constants it sees; it sees none here, since whatever asks for the value is told of a wrong type.
    """

    index: int

    def _unknown(self, *_: object) -> NoReturn:
        raise TypeError("the value of this number is not known while its kernel is captured")

    __bool__ = __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __int__ = __index__ = _unknown

    def __hash__(self) -> int:
        return hash(("number", self.index))

    def __deepcopy__(self, memo: object) -> Number:
        return self


@dataclass
class Outline:
    """``function`` with ``numbers`` and ``parts`` left open, in the order in which they are met."""

    function: Callable[..., Any]
    numbers: tuple[int, ...] = ()
    parts: tuple[VectorFunction, ...] = ()


@dataclass
class _Openings:
    numbers: list[int] = field(default_factory=list)
    parts: list[VectorFunction] = field(default_factory=list)

    def opened(self, value: Any) -> Any:
        """What stands for ``value`` in the outline."""
        if type(value) is int and LEAST <= value <= MOST:
            self.numbers.append(value)
            return Number(len(self.numbers) - 1)
        if isinstance(value, VectorFunction):
            if value not in self.parts:
                self.parts.append(value)
            return _unknown_part(self.parts.index(value), value.arguments)
        if isinstance(value, Dispatcher) and value.targetoptions.get("inline") == "always" and value.py_func.__closure__:
            return numba.njit(inline="always")(self.function(value.py_func))
        return value

    def function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A copy of ``function`` whose closure is opened."""
        cells = tuple(types.CellType(self.opened(cell.cell_contents)) for cell in function.__closure__ or ())
        made = types.FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__, cells)
        made.__qualname__, made.__module__ = function.__qualname__, function.__module__
        return made


_KNOWN: WeakKeyDictionary[Callable[..., Any], Outline] = WeakKeyDictionary()


def outline(function: Callable[..., Any]) -> Outline:
    """The outline of a kernel function."""
    if function not in _KNOWN:
        openings = _Openings()
        opened = openings.function(function) if function.__closure__ else function
        _KNOWN[function] = Outline(opened, tuple(openings.numbers), tuple(openings.parts))
    return _KNOWN[function]


@cache
def _unknown_part(index: int, arguments: int) -> VectorFunction:
    def write(builder: Any, *actual: Any) -> None:
        kinds = [value.type for value in actual]
        kind = ir.FunctionType(ir.VoidType(), kinds)
        builder.call(declared(builder.module, unknown_name(index, kinds), kind), actual)

    return VectorFunction(arguments, write)
