"""How many codebooks of how many codewords stand for how many channels: what a weight costs."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2


@dataclass(frozen=True)
class Rate:
    """``books`` codebooks of ``words`` codewords for sub-spaces of ``size`` channels; codewords of several books add up."""

    books: int
    size: int
    words: int = 16

    @property
    def bits(self) -> float:
        """Bits for a weight, codebooks apart."""
        return self.books * log2(self.words) / self.size

    @property
    def joint(self) -> int:
        """Sums of codewords there are."""
        made: int = self.words**self.books
        return made


RATES = {
    "k16c4": Rate(1, 4),
    "k16c2": Rate(1, 2),
    "2k16c4": Rate(2, 4),  # errs less than the one before, at its bits
    "3k16c4": Rate(3, 4),
}
FINER = {"k16c4": ("2k16c4", "3k16c4", "int8"), "k16c2": ("2k16c4", "3k16c4", "int8"), "2k16c4": ("3k16c4", "int8")}
FINER["3k16c4"] = ("int8",)
