"""Copy through an index table per axis, the building block of reflecting pads, nearest resizing and large tilings."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, KernelCall, Output, Packed
from edgeopt.kernels.walk.strided import RANK, Shape, quotient, remainder


def _through_tables(
    x: Any, table: Any, y: Any, begin: Any, end: Any, d1: Any, d2: Any, d3: Any, m: Any, n: Any,
    t1: Any, t2: Any, t3: Any, t4: Any, t5: Any,
) -> None:  # fmt: skip
    for chunk in range(begin, end):
        second = quotient(chunk, d3)
        first = quotient(second, d2)
        source = table[t3 + remainder(chunk, d3)] + table[t2 + remainder(second, d2)]
        source += table[t1 + remainder(first, d1)] + table[quotient(first, d1)]
        for j in range(m):
            line = source + table[t4 + j]
            for i in range(n):
                y[(chunk * m + j) * n + i] = x[line + table[t5 + i]]


def table_call(shape: Shape, tables: list[Array]) -> KernelCall:
    """Output element (i, j, ...) is input element tables[0][i] + tables[1][j] + ...; six axes at most. Raises Declined."""
    missing = RANK - len(shape)
    if missing < 0:
        raise Declined(f"{len(shape)} dimensions, at most {RANK} are supported")
    extents = (1,) * missing + tuple(shape)
    parts = [np.zeros(1, np.int64)] * missing + tables
    starts = np.cumsum([0, *extents[:-1]])
    packed = Packed(np.concatenate(parts).astype(np.int32))
    constants = (*extents[1:], *(int(s) for s in starts[1:]))
    return KernelCall(_through_tables, (Input(0), packed, Output(0)), constants, int(np.prod(extents[:4])))
