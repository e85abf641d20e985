"""GridSample and RoiAlign at their older versions for the reference evaluator, which knows the newest only."""

from __future__ import annotations

from typing import Any

from onnx.reference.ops.op_grid_sample import GridSample as OnnxGridSample
from onnx.reference.ops.op_roi_align import RoiAlign as OnnxRoiAlign

from edgeopt.ir import Array

RENAMED = {"bilinear": "linear", "bicubic": "cubic"}
HALF_PIXEL_SINCE = 16


class GridSample(OnnxGridSample):
    """The modes had other names before operator set 20."""

    def _run(self, x: Array, grid: Array, mode: str = "linear", **rest: Any) -> tuple[Array]:  # type: ignore[override]
        (y,) = super()._run(x, grid, mode=RENAMED.get(mode, mode), **rest)  # type: ignore[no-untyped-call]
        return (y,)


class RoiAlign(OnnxRoiAlign):
    """Before operator set 16 regions were not shifted by half a pixel."""

    def _run(  # type: ignore[override]
        self, x: Array, rois: Array, indices: Array, coordinate_transformation_mode: str = "half_pixel", **rest: Any
    ) -> tuple[Array]:
        shifts = self.run_params["opsets"][""] >= HALF_PIXEL_SINCE
        mode = coordinate_transformation_mode if shifts else "output_half_pixel"
        (y,) = super()._run(x, rois, indices, coordinate_transformation_mode=mode, **rest)  # type: ignore[no-untyped-call]
        return (y,)
