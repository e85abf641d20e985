"""The text of a step's kernel: an outline, captured once for all kernels that share it, and the parts of this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from numba import types
from numba.core.types.abstract import Type

from edgeopt.codegen.capture import capture, digest
from edgeopt.codegen.identity import identity
from edgeopt.codegen.outline import outline
from edgeopt.codegen.parts import part_text, unknown_parts
from edgeopt.codegen.processes import shared
from edgeopt.codegen.written import WrittenStep
from edgeopt.kernels.emit.intrinsics import pointer
from edgeopt.kernels.emit.vector_function import VectorFunction
from edgeopt.lower.program import Step

_CAPTURED: dict[str, str] = {}
_SHAPED = 0.55  # of a kernel's text in its parts; below, loops of the outline do arithmetic of their own, which would get slower


def constants(step: Step) -> tuple[int | float, ...]:
    """The constants of a step's call and the numbers that its kernel's outline leaves open."""
    return () if isinstance(step, WrittenStep) else (*step.call.constants, *outline(step.call.function).numbers)


def is_walk(step: Step) -> bool:
    """True for a kernel whose inner loops are functions of the vector emitter: what it adds is arithmetic on addresses."""
    return not isinstance(step, WrittenStep) and bool(outline(step.call.function).parts)


def is_shaped(step: Step, parts: Mapping[str, str]) -> bool:
    """True for a kernel that is nearly all vector code, which LLVM need not look for."""
    if isinstance(step, WrittenStep):
        return step.code.shaped
    written = sum(len(parts[name]) for name, _, _ in _parts(step))
    return written > _SHAPED * (written + len(_CAPTURED[_outline_name(step)]))


def kernel_name(step: Step) -> str:
    """The symbol of a kernel function: all that is baked into it but the ``constants``, and the types of its operands."""
    if isinstance(step, WrittenStep):
        return step.kernel
    parts = [identity(part) for part in outline(step.call.function).parts]
    return "kernel_" + digest(_outline_name(step), parts)


def _outline_name(step: Step) -> str:
    kinds = tuple(type(c).__name__ for c in step.call.constants)
    return "outline_" + digest(identity(outline(step.call.function).function), step.dtypes, kinds)


def parts_of(steps: Sequence[Step], meanwhile: Sequence[Callable[[], str]] = ()) -> dict[str, str]:
    """The text of every part of the kernels of ``steps``, by its name; captures what outlines are not known yet.

    What is to be done ``meanwhile`` is shared with the captures among the cores.
    """
    steps = [step for step in steps if not isinstance(step, WrittenStep)]
    _capture_all(steps, meanwhile)
    wanted = {name: (part, kinds) for step in steps for name, part, kinds in _parts(step)}
    made = shared([partial(part_text, part, kinds, name) for name, (part, kinds) in wanted.items()])
    return dict(zip(wanted, made, strict=True))


def kernel_texts(steps: Sequence[Step], parts: Mapping[str, str]) -> Iterator[str]:
    """The text of every kernel of ``steps`` and of each of its ``parts``, once."""
    kernels = {kernel_name(step): step for step in steps}
    captured = {name: step for name, step in kernels.items() if not isinstance(step, WrittenStep)}
    yield from (step.named_text for step in kernels.values() if isinstance(step, WrittenStep))
    for name, step in captured.items():
        yield _with_parts(step).replace(_outline_name(step), name)
    for name in {name: None for step in captured.values() for name, _, _ in _parts(step)}:
        yield parts[name]


def _capture_all(steps: Sequence[Step], meanwhile: Sequence[Callable[[], str]]) -> None:
    missing = {name: step for name, step in zip(map(_outline_name, steps), steps, strict=True) if name not in _CAPTURED}
    made = shared([*meanwhile, *(partial(_captured, name, step) for name, step in missing.items())])
    _CAPTURED.update(zip(missing, made[len(meanwhile) :], strict=True))


def _captured(name: str, step: Step) -> str:
    found = outline(step.call.function)
    return capture(found.function, signature(step), name, len(found.numbers))


def _parts(step: Step) -> Iterator[tuple[str, VectorFunction, list[Any]]]:
    """The parts of a step's kernel: the name of each, what writes it, and the types of its operands."""
    for unknown, (index, kinds) in unknown_parts(_CAPTURED[_outline_name(step)]).items():
        part = outline(step.call.function).parts[index]
        yield _part_name(part, unknown), part, kinds


def _part_name(part: VectorFunction, unknown: str) -> str:
    return "part_" + digest(identity(part), unknown)


def _with_parts(step: Step) -> str:
    text, parts = _CAPTURED[_outline_name(step)], outline(step.call.function).parts
    for unknown, (index, _) in unknown_parts(text).items():
        text = text.replace(f"@{unknown}(", f"@{_part_name(parts[index], unknown)}(")
    return text


def signature(step: Step) -> tuple[Type, ...]:
    given = [types.float32 if isinstance(c, float) else types.int64 for c in step.call.constants]
    return (*(pointer(d) for d in step.dtypes), types.int64, types.int64, *given)
