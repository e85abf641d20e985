"""The text of a step's kernel: an outline, captured once for all kernels that share it, and the parts of this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from numba import types
from numba.core.types.abstract import Type

from edgeopt.codegen.capture import capture, digest
from edgeopt.codegen.identity import identity
from edgeopt.codegen.outline import outline
from edgeopt.codegen.parts import part_text, unknown_parts
from edgeopt.kernels.emit.intrinsics import pointer
from edgeopt.lower.program import Step

_CAPTURED: dict[str, str] = {}


def constants(step: Step) -> tuple[int | float, ...]:
    """The constants of a step's call and the numbers that its kernel's outline leaves open."""
    return (*step.call.constants, *outline(step.call.function).numbers)


def is_walk(step: Step) -> bool:
    """True for a kernel whose inner loops are functions of the vector emitter: what it adds is arithmetic on addresses."""
    return bool(outline(step.call.function).parts)


def kernel_name(step: Step) -> str:
    """The symbol of a kernel function: all that is baked into it but the ``constants``, and the types of its operands."""
    parts = [identity(part) for part in outline(step.call.function).parts]
    return "kernel_" + digest(_outline_name(step), parts)


def _outline_name(step: Step) -> str:
    kinds = tuple(type(c).__name__ for c in step.call.constants)
    return "outline_" + digest(identity(outline(step.call.function).function), step.dtypes, kinds)


def texts(step: Step) -> Iterator[tuple[str, Callable[[], str]]]:
    """The names of all that a kernel consists of, and how its text is made: the kernel function and its parts."""
    found, name = outline(step.call.function), _outline_name(step)
    if name not in _CAPTURED:
        _CAPTURED[name] = capture(found.function, signature(step), name, len(found.numbers))
    text = _CAPTURED[name].replace(name, kernel_name(step))
    for unknown, (index, kinds) in unknown_parts(text).items():
        part = found.parts[index]
        made = "part_" + digest(identity(part), unknown)
        text = text.replace(f"@{unknown}(", f"@{made}(")
        yield made, _writer(part, kinds, made)
    yield kernel_name(step), lambda: text


def _writer(part: Any, kinds: list[Any], name: str) -> Callable[[], str]:
    return lambda: part_text(part, kinds, name)


def signature(step: Step) -> tuple[Type, ...]:
    given = [types.float32 if isinstance(c, float) else types.int64 for c in step.call.constants]
    return (*(pointer(d) for d in step.dtypes), types.int64, types.int64, *given)
