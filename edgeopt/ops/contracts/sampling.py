"""Operators that sample between elements: Resize, GridSample, RoiAlign."""

from __future__ import annotations

from math import floor

from edgeopt.ops.contracts.operands import Operands, size

ROI, SCALES, SIZES = 1, 2, 3


def _resize(operands: Operands) -> None:
    x, node = operands.shape(0), operands.node
    axes = operands.axes(node.integers("axes", range(len(x))), len(x))
    crops = node.text("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize"
    by_sizes = operands.given(SIZES)
    by_scales = operands.given(SCALES) and not (by_sizes and operands.shape(SCALES) == (0,))
    operands.need(by_sizes != by_scales, "one of scales and sizes is needed, and only one")
    operands.vector(SIZES if by_sizes else SCALES, len(axes))
    if crops:
        operands.need(operands.given(ROI), "tf_crop_and_resize needs a region of interest")
        operands.vector(ROI, 2 * len(axes))
    if by_sizes:
        _by_sizes(operands, axes)
    else:
        _by_scales(operands, axes, crops)
    result = operands.result()
    hollow = len(result) != len(x) or (size(x) == 0 and size(result) > 0)
    operands.need(not hollow, f"{operands.label(0)} of shape {list(x)} cannot become {list(result)}")


def _by_sizes(operands: Operands, axes: list[int]) -> None:
    x, sizes = operands.shape(0), operands.numbers(SIZES)
    if sizes is None:
        return
    good = all(s > 0 or (s == 0 and x[a] == 0) for s, a in zip(sizes, axes, strict=True))
    operands.need(good, f"{operands.label(SIZES)} holds {sizes}, extents of at least 1 are needed")
    if operands.node.text("keep_aspect_ratio_policy", "stretch") == "stretch":
        places = dict(zip(axes, sizes, strict=True))
        operands.yields([places.get(i, d) for i, d in enumerate(x)])


def _by_scales(operands: Operands, axes: list[int], crops: bool) -> None:
    x, scales = operands.shape(0), operands.array(SCALES)
    if scales is None:
        return
    operands.need(bool((scales > 0).all()), f"{operands.label(SCALES)} holds {scales.tolist()}, only positive scales resize")
    if crops:
        return
    result, places = operands.result(), dict(zip(axes, scales.reshape(-1).tolist(), strict=True))
    wanted = [floor(d * places.get(i, 1.0)) for i, d in enumerate(x)]
    # Products of floats round differently; one more or less is no lie.
    near = len(result) == len(x) and all(abs(r - w) <= 1 for r, w in zip(result, wanted, strict=True))
    operands.need(near, f"the result is declared as {list(result)}, the scales make {wanted}")


def _grid_sample(operands: Operands) -> None:
    x, rank = operands.shape(0), operands.rank(0, 3)
    operands.rank(1, rank, rank)
    grid = operands.shape(1)
    good = grid[0] == x[0] and grid[-1] == rank - 2
    operands.need(good, f"{operands.label(1)} has shape {list(grid)}, [{x[0]},...,{rank - 2}] is needed")
    operands.need(0 not in x[2:] or size(grid) == 0, f"{operands.label(0)} of shape {list(x)} holds nothing to sample")
    operands.yields((*x[:2], *grid[1:-1]))


MOST_SAMPLES = 1024  # along each side of a bin


def _roi_align(operands: Operands) -> None:
    node, x = operands.node, operands.shape(0)
    operands.rank(0, 4, 4)
    operands.rank(1, 2, 2)
    count = operands.shape(1)[0]
    operands.fits(1, (count, 4))
    operands.vector(2, count)
    height, width, ratio = node.integer("output_height", 1), node.integer("output_width", 1), node.integer("sampling_ratio", 0)
    operands.need(
        height > 0 and width > 0 and 0 <= ratio <= MOST_SAMPLES, f"{height} x {width} bins with a sampling ratio of {ratio}"
    )
    operands.need(count == 0 or 0 not in (x[0], *x[2:]), f"{operands.label(0)} of shape {list(x)} holds nothing to sample")
    images = operands.numbers(2)
    if images is not None and count:
        operands.need(min(images) >= 0 and max(images) < x[0], f"{operands.label(2)} names images {images}, there are {x[0]}")
    operands.yields((count, x[1], height, width))


RULES = {"Resize": _resize, "GridSample": _grid_sample, "RoiAlign": _roi_align}
