"""The codes of x as the products of a target take them, made once for the whole tensor rather than at each of many reads."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeopt.kernels.call import Input, KernelCall, Operand, Site, Temporary
from edgeopt.kernels.integer.quant_dot import widened
from edgeopt.kernels.integer.quant_operands import flipped

RUN = 4096  # codes in a chunk


def seen_codes(site: Site) -> tuple[tuple[KernelCall, ...], Operand]:
    """The operand a tile reads x from, and the call that makes it where codes have to change sign or to be widened."""
    x = site.given(0)
    if not flipped(site):
        return widened(site.target, x)
    copy = Temporary("flipped", x.elements, dtype="uint8")
    return (KernelCall(_flip, (Input(0), copy), (x.elements, RUN), -(-x.elements // RUN)),), copy


def _flip(x: Any, y: Any, begin: Any, end: Any, size: Any, run: Any) -> None:
    for i in range(begin * run, min(end * run, size)):
        y[i] = np.uint8(np.int32(x[i]) ^ np.int32(128))
