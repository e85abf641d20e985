"""The TVM back end: kernels whose form is stated are written in TIR and compiled by TVM, the others are numba's; one object.

Driver, entry points and threads are those of the first back end: what differs is who writes the kernels of steps.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from edgeopt.codegen.build import build
from edgeopt.codegen.tvm_extra import VERSIONS
from edgeopt.codegen.tvm_text import kernel_text
from edgeopt.codegen.written import PLACE, WrittenStep, written
from edgeopt.kernels.call import Declined
from edgeopt.kernels.stated import form_of
from edgeopt.kernels.tvm import TABLE
from edgeopt.lower.program import HostStep, Program, Step
from edgeopt.target import Target

Key = tuple[object, tuple[int | float, ...], tuple[str, ...], Target]


class TvmBackend:
    """TIR where there is some, numba elsewhere. What was written for a program is kept as long as the program."""

    name = "tvm"

    def __init__(self) -> None:
        self._programs: WeakKeyDictionary[Program, dict[Target, Program]] = WeakKeyDictionary()
        self._texts: dict[Key, str | None] = {}

    def build(self, program: Program, target: Target, library: bool = False) -> bytes:
        """See ``edgeopt.codegen.backends``."""
        return build(self.rewritten(program, target), target, library)

    def record(self, program: Program, target: Target) -> dict[str, Any]:
        """How many of the steps are TIR, and the kernels of the others with their number."""
        native = self.rewritten(program, target).native
        rest = Counter(step.call.full_name for step in native if not isinstance(step, WrittenStep))
        own = len(native) - rest.total()
        return {"name": self.name, "version": VERSIONS["apache-tvm"], "steps": len(native), "own": own, "rest": dict(rest)}

    def rewritten(self, program: Program, target: Target) -> Program:
        """``program`` with TIR in the steps that have some."""
        known = self._programs.setdefault(program, {})
        if target not in known:
            steps = [step if isinstance(step, HostStep) else self._step(step, target) for step in program.steps]
            known[target] = replace(program, steps=steps)
        return known[target]

    def _step(self, step: Step, target: Target) -> Step:
        form = form_of(step.call.function)
        if type(form) not in TABLE:
            return step
        key = (form, step.call.constants, step.dtypes, target)
        if key not in self._texts:
            self._texts[key] = _text(*key)
        text = self._texts[key]
        return step if text is None else written(step, text)


def _text(form: Any, constants: tuple[int | float, ...], dtypes: tuple[str, ...], target: Target) -> str | None:
    try:
        return kernel_text(TABLE[type(form)](form, constants, dtypes, target), dtypes, target, PLACE)
    except Declined:
        return None


BACKEND = TvmBackend()
