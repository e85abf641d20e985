"""The TVM back end: kernels whose form is stated are written in TIR and compiled by TVM, the others are numba's; one object.

Driver, entry points and threads are those of the first back end: what differs is who writes the kernels of steps.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from edgeopt.codegen.build import build
from edgeopt.codegen.identity import identity
from edgeopt.codegen.kernel_text import is_shaped, parts_of
from edgeopt.codegen.tvm_extra import VERSIONS
from edgeopt.codegen.tvm_text import kernel_text, translated_text
from edgeopt.codegen.written import PLACE, Code, WrittenStep, written
from edgeopt.kernels.call import Declined
from edgeopt.kernels.stated import form_of
from edgeopt.kernels.tvm import TABLE
from edgeopt.kernels.tvm.translated import translated
from edgeopt.lower.program import HostStep, Program, Step
from edgeopt.target import Target

Key = tuple[object, tuple[int | float, ...], tuple[str, ...], Target]
log = logging.getLogger(__name__)


class TvmBackend:
    """TIR where there is some, numba elsewhere. What was written for a program is kept as long as the program."""

    name = "tvm"

    def __init__(self) -> None:
        self._programs: WeakKeyDictionary[Program, dict[Target, Program]] = WeakKeyDictionary()
        self._codes: dict[Key, Code | None] = {}

    def build(self, program: Program, target: Target, library: bool = False) -> bytes:
        """See ``edgeopt.codegen.backends``."""
        return build(self.rewritten(program, target), target, library)

    def record(self, program: Program, target: Target) -> dict[str, Any]:
        """How many of the steps are TIR, those ``translated`` among them, and the kernels of the others with their number."""
        native = self.rewritten(program, target).native
        own = [step.code for step in native if isinstance(step, WrittenStep)]
        rest = Counter(step.call.full_name for step in native if not isinstance(step, WrittenStep))
        shares = {"own": len(own), "translated": sum(code.translated for code in own), "rest": dict(rest)}
        return {"name": self.name, "version": VERSIONS["apache-tvm"], "steps": len(native), **shares}

    def rewritten(self, program: Program, target: Target) -> Program:
        """``program`` with TIR in the steps that have some."""
        known = self._programs.setdefault(program, {})
        if target not in known:
            codes = self._written(program, target)
            steps = [step if (code := codes.get(id(step))) is None else _with(step, code) for step in program.steps]
            known[target] = replace(program, steps=steps)
        return known[target]

    def _written(self, program: Program, target: Target) -> dict[int, Code | None]:
        """The code of each native step by its identity: from its form, or else from its function, or none."""
        steps = program.native
        keys = [_key(step, target) for step in steps]
        missing = {key: step for key, step in zip(keys, steps, strict=True) if key not in self._codes}
        made = {key: _from_form(step, target) for key, step in missing.items()}
        left = {key: missing[key] for key, code in made.items() if code is None}
        parts = parts_of(list(left.values()))
        self._codes |= made | {key: _from_function(step, target, parts) for key, step in left.items()}
        return {id(step): self._codes[key] for key, step in zip(keys, steps, strict=True)}


def _with(step: Step | HostStep, code: Code) -> Step:
    assert isinstance(step, Step)
    return written(step, code)


def _key(step: Step, target: Target) -> Key:
    form = form_of(step.call.function)
    return (form if type(form) in TABLE else identity(step.call.function), step.call.constants, step.dtypes, target)


def _from_form(step: Step, target: Target) -> Code | None:
    form = form_of(step.call.function)
    if type(form) not in TABLE:
        return None
    try:
        made = TABLE[type(form)](form, step.call.constants, step.dtypes, target)
    except Declined:
        return None
    return Code(kernel_text(made, step.dtypes, target, PLACE))


def _from_function(step: Step, target: Target, parts: Mapping[str, str]) -> Code | None:
    """TIR of a step's function, which takes the way through LLVM that numba's code of it takes."""
    try:
        function = translated(step.call.function, step.call.constants, step.dtypes)
        text = translated_text(function, step.dtypes, target, PLACE)
    except Declined as declined:
        log.info("%s has no TIR: %s", step.call.full_name, declined)
        return None
    return Code(text, translated=True, shaped=is_shaped(step, parts))


BACKEND = TvmBackend()
