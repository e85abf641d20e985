"""What names mean while a kernel's function is written: values, and variables, which are memory.

A name that is given a value once is that value; others are memory, whose type is the widest of what they are given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tvm.tirx.script.builder import ir as build

from edgeopt.kernels.call import Declined
from edgeopt.kernels.tvm.translated import scalars
from edgeopt.kernels.tvm.translated.memory import Memory, Pointer, counted_in, local_memory, with_offset
from edgeopt.kernels.tvm.translated.vector_builder import VectorBuilder
from edgeopt.kernels.tvm.translated.vector_values import bound


class Wider(Exception):
    """A variable is given a value that its type does not hold; the kernel is written anew, with the wider type."""


@dataclass
class Writing:
    """One kernel while it is written: the builder of its vector code, and the types of variables that turned out wider.

    ``run(writing, function, arguments, path)`` writes the statements of a function and gives what it returns.
    """

    builder: VectorBuilder
    types: dict[str, str]
    run: Callable[..., Any]
    calls: int = 0

    def number(self) -> int:
        """A number that tells a place in the kernel from others; the same in every attempt."""
        self.calls += 1
        return self.calls


def stored(dtype: str) -> str:
    """How memory holds elements of ``dtype``: without a sign, truth as a byte."""
    return "int8" if dtype == "bool" else dtype.removeprefix("u")


@dataclass
class Variable:
    """Memory for the values of one name: a scalar, or how far a pointer has come."""

    key: str
    dtype: str
    memory: Memory
    pointer: Pointer | None = None

    def get(self) -> Any:
        """Its value now."""
        value = bound(self.memory.element(stored(self.dtype), 0))
        return scalars.cast(value, self.dtype) if self.pointer is None else with_offset(self.pointer, value)


@dataclass
class Frame:
    """One function of Python while its statements are written; ``path`` tells it from others of the kernel."""

    writing: Writing
    function: Callable[..., Any]
    path: str
    known: dict[str, Any]
    values: dict[str, Any] = field(default_factory=dict)

    def name(self, name: str) -> Any:
        """What a name means here."""
        if name not in self.values:
            if name not in self.known:
                raise Declined(f"the name '{name}' has no value where it is read")
            return self.known[name]
        return now(self.values[name])

    def give(self, name: str, value: Any, again: bool) -> None:
        """Give a name a value, which it keeps unless it is given one ``again``."""
        if not again or not changes(value):
            self.values[name] = settled(value)
            return
        if not isinstance(self.values.get(name), Variable | tuple):
            self.values[name] = self.variable(name, value)
        self.put(self.values[name], value)

    def variable(self, name: str, value: Any) -> Any:
        """Memory for values such as ``value``; a tuple for a tuple."""
        key = f"{self.path}.{name}"
        if isinstance(value, tuple):
            return tuple(self.variable(f"{name}.{i}", part) for i, part in enumerate(value))
        if isinstance(value, Pointer):
            return Variable(key, "int64", local_memory("int64", 1), value)
        dtype = self.writing.types.get(key, scalars.dtype(value))
        return Variable(key, dtype, local_memory(stored(dtype), 1))

    def put(self, variable: Any, value: Any) -> None:
        """Give a variable a value. Raises Wider where its type does not hold it."""
        if isinstance(variable, tuple):
            for one, part in zip(variable, value, strict=True):
                self.put(one, part)
            return
        if variable.pointer is not None:
            value = _distance(variable, variable.pointer, value)
        elif (dtype := scalars.common(variable.dtype, scalars.dtype(value))) != variable.dtype:
            self.writing.types[variable.key] = dtype
            raise Wider
        made = scalars.cast(scalars.cast(value, variable.dtype), stored(variable.dtype))
        variable.memory.put(stored(variable.dtype), scalars.expression(made), 0)

    def either(self, condition: Any, then: Callable[[], Any], otherwise: Callable[[], Any] | None) -> None:
        """Write one of two pieces of code."""
        with build.If(condition):
            with build.Then():
                then()
                build.evaluate(0)
            if otherwise is not None:
                with build.Else():
                    otherwise()
                    build.evaluate(0)

    def inlined(self, function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
        """What ``function`` returns, its statements written here."""
        return self.writing.run(self.writing, function, arguments, f"{self.path}/{self.writing.number()}")


def _distance(variable: Variable, first: Pointer, value: Any) -> Any:
    if not isinstance(value, Pointer) or value.memory is not first.memory or value.unit < first.unit:
        raise Declined(f"the variable '{variable.key}' points into two operands")
    return counted_in(value, first.unit).offset


def changes(value: Any) -> bool:
    """Whether a value can be held by a variable: functions and types are known for good."""
    if isinstance(value, tuple):
        return all(changes(part) for part in value)
    return isinstance(value, Pointer) or scalars.is_known(value) or hasattr(value, "ty")


def now(value: Any) -> Any:
    """A value, those of variables read."""
    if isinstance(value, tuple):
        return tuple(now(part) for part in value)
    return value.get() if isinstance(value, Variable) else value


def settled(value: Any) -> Any:
    """A value that is computed now, and once."""
    if isinstance(value, tuple):
        return tuple(settled(part) for part in value)
    return bound(value) if hasattr(value, "ty") else value
