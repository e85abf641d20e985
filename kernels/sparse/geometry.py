"""The geometry of a sparse convolution in the blocked layout, the same for floats and codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeopt.ir import Array
from edgeopt.ir.block_rows import density
from edgeopt.kernels.call import Declined, Site, Tensor
from edgeopt.kernels.sparse.entries import HEIGHT
from edgeopt.kernels.sparse.sparse_tiling import Missing, SparseTiling, share_missing
from edgeopt.kernels.sparse.sparse_walk import Walk, chunk_size, surface
from edgeopt.kernels.walk.plane_window import PlaneWindow, plane_window
from edgeopt.target import Target


@dataclass(frozen=True)
class Geometry:
    """Operands as they lie, ``r`` that of y where nothing is added; ``size`` are rows and positions that are walked."""

    x: Tensor
    y: Tensor
    r: Tensor
    window: PlaneWindow
    group: int
    size: tuple[int, int]

    def matrix(self, weight: Array) -> Array:
        """The weight [outputs, inputs of a group, height, width] as [outputs, taps, inputs], filled up to whole blocks."""
        outputs, inputs = weight.shape[:2]
        taps = weight.reshape(self.group, outputs // self.group, inputs, -1).transpose(0, 1, 3, 2)
        made = np.zeros((*taps.shape[:3], self.x.blocks * self.x.layout.block), weight.dtype)
        for g, part in enumerate(taps):
            made[g, :, :, g * inputs : (g + 1) * inputs] = part
        return made.reshape(outputs, taps.shape[2], -1)

    def place(self, taps: Array, inputs: Array) -> Array:
        """Elements of x from the first code of a window to that of a tap and an input."""
        block, (down, right) = self.x.layout.block, self.window.dilations
        rows, columns = taps // self.window.kernel[1] * down, taps % self.window.kernel[1] * right
        offsets: Array = (inputs // block * self.x.plane + rows * self.x.row + columns) * block + inputs % block
        return offsets

    def missing(self, target: Target, element: int) -> Missing:
        """For tiles that read elements of ``element`` bytes of all channels under their windows."""
        channels = self.x.blocks * self.x.layout.block // self.group

        def share(rows: int, columns: int) -> float:
            height, width = (self._read(count, axis) for axis, count in enumerate((rows, columns)))
            return share_missing(target, element * channels * height * width)

        return share

    def _read(self, count: int, axis: int) -> int:
        """Positions along an axis that ``count`` windows after each other read."""
        window = self.window
        taps, stride = window.kernel[axis], window.strides[axis]
        return min((count - 1) * stride + (taps - 1) * window.dilations[axis] + 1, count * taps)

    def offsets(self, tensor: Tensor, tiling: SparseTiling, steps: tuple[int, int] = (1, 1)) -> tuple[int, ...]:
        """Elements from the first position of a tile to each, row by row, ``steps`` apart in height and width."""
        down, right = steps[0] * tensor.row, steps[1]
        places = [(i * down + j * right) * tensor.layout.block for i in range(tiling.rows) for j in range(tiling.columns)]
        return tuple(places)


def conv_geometry(site: Site, weight: Array, residual: Tensor | None, width: int) -> Geometry:
    """The Geometry of a dense ``site`` for blocks of ``width`` inputs. Raises Declined for layouts that cannot be walked."""
    x, y, lanes = site.given(0), site.outputs[0], site.target.lanes
    r, window = residual if residual is not None else y, plane_window(site.node, weight.shape[2:])
    if not x.layout.block or x.layout.block % width or not y.layout.block or y.layout.block % lanes:
        raise Declined("its operands do not lie blocked")
    if r.layout.block != y.layout.block:
        raise Declined("its residual does not lie blocked")
    if y.blocks * y.layout.block < HEIGHT or HEIGHT % lanes:
        raise Declined(f"it has fewer than {HEIGHT} outputs")
    height, columns = y.shape[2:]
    flat = window.kernel == (1, 1) == window.strides and all(t.plane == height * columns for t in (x, y, r))
    size = (1, height * columns) if flat else (height, columns)
    return Geometry(x, y, r, window, site.node.integer("group", 1), size)


def conv_walk(target: Target, geometry: Geometry, tiling: SparseTiling, blocks: float, width: int, size: int) -> Walk:
    """The Walk of a convolution whose rows of blocks have ``blocks`` by ``width`` inputs; its input takes ``size`` bytes."""
    x, y, r, window = geometry.x, geometry.y, geometry.r, geometry.window
    images, outputs = x.shape[0], y.blocks * y.layout.block
    work = blocks * HEIGHT * width * tiling.positions
    run, span = chunk_size(target, tiling, work, size // images, -(-outputs // HEIGHT), images)
    start = x.origin - window.pads[0] * x.row - window.pads[1]
    return Walk(
        images=images,
        size=geometry.size,
        tiling=tiling,
        outputs=outputs,
        unit=y.layout.block,
        run=run,
        span=span,
        x=surface(x, start, window.strides),
        y=surface(y, y.origin),
        r=surface(r, r.origin),
    )


def mean_blocks(weight: Array, width: int) -> float:
    """Blocks that are not zero in a row of blocks, on average."""
    columns: int = weight[0, 0].size * -(-weight.shape[1] // width)
    return max(1.0, columns * density(weight, (HEIGHT, width)))
