"""Steps whose kernels another generator than numba wrote: the text is their code, specialised to all constants of the call."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

from edgeopt.codegen.capture import digest
from edgeopt.lower.program import Step

PLACE = "kernel_to_be_named"  # what the function is called in the text


@dataclass(frozen=True)
class Code:
    """LLVM IR that defines ``PLACE`` as a captured kernel is defined: the operands, then a range of chunks.

    ``translated``: it was written from the kernel's function, not from its form. ``shaped``: nearly all of it is vector code.
    """

    text: str
    translated: bool = False
    shaped: bool = False


@dataclass(frozen=True)
class WrittenStep(Step):
    """A step with code of its own."""

    code: Code = Code("")

    @cached_property
    def kernel(self) -> str:
        """The symbol of the kernel, a hash of its code."""
        return "kernel_" + digest("written", self.code.text, self.code.shaped)

    @property
    def named_text(self) -> str:
        """The code under that name."""
        return self.code.text.replace(PLACE, self.kernel)


def written(step: Step, code: Code) -> WrittenStep:
    """``step`` with ``code`` as its code."""
    return WrittenStep(**{field.name: getattr(step, field.name) for field in fields(step)}, code=code)
