"""How the recurrent weights of one direction are kept: as numbers, as codes that every step or the first one widens, as integers.

Where numbers would not stay in the second cache, each step widens codes in registers, since they are a quarter of the bytes to
read. Where they do, and there are steps enough, a thread widens all of them once, into scratch memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from edgeopt.ir import Array
from edgeopt.kernels.emit.emitter import Emitter, Value
from edgeopt.kernels.emit.intrinsics import inline, offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.packed.weight_codes import panel_bytes
from edgeopt.kernels.packed.weight_panels import write_widened
from edgeopt.kernels.recurrent.recurrent import Cell
from edgeopt.kernels.recurrent.recurrent_codes import dot_panels
from edgeopt.kernels.recurrent.recurrent_weights import DOTS, Matrix, panel_size, recurrent_panels
from edgeopt.target import Target

STEPS = 8  # from which on widening once costs less than widening in each
Widen = Callable[[Any, Any], None]


@dataclass(frozen=True, eq=False)
class Store:
    """The ``panels`` of a step, and how its tiles read them: codes of ``kind``, or numbers where that is empty.

    ``widen`` (panels, numbers), if there is one, makes ``size`` numbers of all codes beforehand. Of integers (``DOTS``) scratch
    memory for as many numbers holds the codes of the units.
    """

    panels: Array
    kind: str
    widen: Widen | None = None
    size: int = 0

    @property
    def extent(self) -> int:
        """Elements from one store to the next as tiles see them."""
        return self.size if self.widen is not None else self.panels.size


def store_of(target: Target, steps: int, cell: Cell, weights: Matrix) -> Store:
    """How ``weights`` of the units, those of all gates or of some, are kept for ``steps`` steps."""
    if weights.kind == DOTS:
        return Store(dot_panels(target, cell, weights), DOTS, None, cell.rows * cell.units)
    panels, size = recurrent_panels(cell, weights, target.lanes), cell.hidden * cell.units * cell.gates
    every = 4 * cell.hidden * cell.units * cell.spread  # bytes of numbers
    if not weights.kind or steps < STEPS or 2 * every > target.l2:
        return Store(panels, weights.kind)
    return Store(panels, "", _widen(target, cell, weights.kind), size)


def both(first: Store, second: Store) -> Widen | None:
    """Widens two stores that lie behind each other, if they are widened."""
    one, other, stored, size = first.widen, second.widen, first.panels.size, first.size
    if one is None or other is None:
        return None

    @inline
    def widen(w: Any, numbers: Any) -> None:
        one(w, numbers)
        other(offset(w, stored), offset(numbers, size))

    return widen


def _widen(target: Target, cell: Cell, kind: str) -> Widen:
    blocks = cell.units // target.lanes
    groups, panel = -(-blocks // cell.vectors), panel_size(cell, kind, target.lanes)
    inner = _panel(target, cell, kind, cell.vectors)
    final = _panel(target, cell, kind, blocks - (groups - 1) * cell.vectors)
    size = panel_size(cell, "", target.lanes)

    @inline
    def widen(w: Any, numbers: Any) -> None:
        for g in range(groups - 1):
            inner(offset(w, g * panel), offset(numbers, g * size))
        final(offset(w, (groups - 1) * panel), offset(numbers, (groups - 1) * size))

    return widen


def _panel(target: Target, cell: Cell, kind: str, vectors: int) -> Any:
    """The panel of ``vectors`` vectors of units as a function (codes, numbers); its scales lie behind the codes."""
    width = vectors * cell.gates * target.lanes

    def emit(e: Emitter, w: Value, numbers: Value) -> None:
        scales = e.builder.bitcast(e.at(w, panel_bytes(kind, cell.hidden, width)), ir.FloatType().as_pointer())
        write_widened(e, kind, cell.hidden, vectors * cell.gates, scales, w, numbers)

    return vector_function(target, 2, emit)
