"""One line of LLVM IR, as far as counting needs to understand it."""

from __future__ import annotations

import re
from functools import cached_property

_TYPE = re.compile(r"<(\d+) x (\w+)>|\b(half|bfloat|float|double|ptr|i\d+)\b")
_BITS = {"half": 16, "bfloat": 16, "float": 32, "double": 64, "ptr": 64}
_FLAGS = "tail notail musttail nnan ninf nsz arcp contract afn reassoc fast".split()


class Instruction:
    """One line of IR: the value it defines, its opcode and its operands."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text

    @cached_property
    def opcode(self) -> str:
        """The opcode, such as ``fmul``."""
        words = self.text.split()
        return next((w for w in words if w not in _FLAGS), "")

    @cached_property
    def operands(self) -> list[str]:
        """Names of the values that are read; of a barrier only the one it hands on, since the others merely wait for it."""
        names = re.findall(r"%[\w.$-]+|%\"[^\"]+\"", self.text.split(", !", 1)[0])
        return names[:1] if self.is_barrier else names

    @property
    def is_barrier(self) -> bool:
        """True for inline assembly without instructions, which only keeps the order of others."""
        return re.search(r'asm (?:sideeffect )?"", ', self.text) is not None

    @cached_property
    def callee(self) -> str:
        """The called function, or nothing."""
        found = re.search(r'@"?([\w.$]+)', self.text) if self.opcode == "call" else None
        return found[1] if found else ""

    @cached_property
    def kind(self) -> tuple[int, str, int]:
        """Lanes (1 for a scalar), element type and bits of the first type that is written."""
        found = _TYPE.search(self.text)
        if found is None:
            return 1, "i32", 32
        lanes, element = (int(found[1]), found[2]) if found[1] else (1, found[3])
        width = _BITS.get(element) or int(element[1:] if element[1:].isdigit() else 32)
        return lanes, element, lanes * width

    @property
    def is_vector(self) -> bool:
        """True for a vector type."""
        return self.kind[0] > 1
