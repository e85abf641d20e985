"""Pad for the reference evaluator, whose own cannot take away elements: numpy knows no negative widths."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun

from edgeopt.ir import Array


class Pad(OpRun):
    """Negative widths take elements away, positive ones add them after that."""

    def _run(
        self, x: Array, pads: Any, value: Array | None = None, axes: Any = None, mode: str | None = None, **_: Any
    ) -> tuple[Array]:
        places = range(x.ndim) if axes is None else [int(a) % x.ndim for a in axes]
        widths, half = [(0, 0)] * x.ndim, len(pads) // 2
        for i, place in enumerate(places):
            widths[place] = (int(pads[i]), int(pads[half + i]))
        cut = x[tuple(slice(max(0, -b), n - max(0, -e)) for n, (b, e) in zip(x.shape, widths, strict=True))]
        grown = [(max(0, b), max(0, e)) for b, e in widths]
        if mode in (None, "constant"):
            filled = np.zeros((), x.dtype) if value is None else np.asarray(value).reshape(())
            return (np.pad(cut, grown, constant_values=filled),)
        return (np.pad(cut, grown, mode=str(mode)),)  # type: ignore[call-overload]
