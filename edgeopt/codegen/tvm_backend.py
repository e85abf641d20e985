"""The TVM back end: kernels whose form is stated are written in TIR and compiled by TVM, the others are numba's; one object.

Driver, entry points and threads are those of the first back end: what differs is who writes the kernels of steps.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from edgeopt.codegen.build import build
from edgeopt.codegen.identity import identity
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
SHAPED = 0.4  # of the lines of a translated kernel in vector code
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
            steps = [step if isinstance(step, HostStep) else self._step(step, target) for step in program.steps]
            known[target] = replace(program, steps=steps)
        return known[target]

    def _step(self, step: Step, target: Target) -> Step:
        form = form_of(step.call.function)
        key = (form if type(form) in TABLE else identity(step.call.function), step.call.constants, step.dtypes, target)
        if key not in self._codes:
            self._codes[key] = _code(step, form, target)
        code = self._codes[key]
        return step if code is None else written(step, code)


def _code(step: Step, form: object, target: Target) -> Code | None:
    """From the form where it has TIR, else from the function; None where that cannot be written in TIR either."""
    if type(form) in TABLE:
        try:
            made = TABLE[type(form)](form, step.call.constants, step.dtypes, target)
            return Code(kernel_text(made, step.dtypes, target, PLACE))
        except Declined:
            pass
    try:
        function, vectors = translated(step.call.function, step.call.constants, step.dtypes)
        text = translated_text(function, step.dtypes, target, PLACE)
    except Declined as declined:
        log.info("%s has no TIR: %s", step.call.full_name, declined)
        return None
    return Code(text, translated=True, shaped=vectors > SHAPED * text.count("\n"))


BACKEND = TvmBackend()
