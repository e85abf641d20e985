"""Operators that copy elements elsewhere: by an order of axes, by boxes, by repetition."""

from __future__ import annotations

from edgeopt.ops.contracts.operands import Operands


def _transpose(operands: Operands) -> None:
    shape = operands.shape(0)
    order = operands.node.integers("perm", reversed(range(len(shape))))
    good = sorted(order) == list(range(len(shape)))
    operands.need(good, f"perm {list(order)} is no order of the {len(shape)} dimensions of {operands.label(0)}")
    operands.yields([shape[a] for a in order])


def _block(operands: Operands) -> int:
    operands.rank(0, 4, 4)
    block = operands.node.integer("blocksize", 1)
    operands.need(block > 0, f"the block size is {block}")
    return block


def _depth_to_space(operands: Operands) -> None:
    b, (n, c, h, w) = _block(operands), operands.shape(0)
    operands.need(c % (b * b) == 0, f"{c} channels are no multiple of the block size {b} squared")
    operands.yields((n, c // (b * b), h * b, w * b))


def _space_to_depth(operands: Operands) -> None:
    b, (n, c, h, w) = _block(operands), operands.shape(0)
    operands.need(h % b == 0 and w % b == 0, f"height {h} and width {w} are no multiples of the block size {b}")
    operands.yields((n, c * b * b, h // b, w // b))


def _expand(operands: Operands) -> None:
    operands.vector(1)
    shape, wanted = operands.shape(0), operands.numbers(1)
    if wanted is None:
        return operands.spreads(0, operands.result())
    rank = max(len(shape), len(wanted))
    one, other = (1,) * (rank - len(shape)) + shape, (1,) * (rank - len(wanted)) + tuple(wanted)
    good = all(d >= 0 for d in wanted) and all(a == b or 1 in (a, b) for a, b in zip(one, other, strict=True))
    operands.need(good, f"{operands.label(0)} of shape {list(shape)} does not expand to {wanted}")
    operands.yields([b if a == 1 else a for a, b in zip(one, other, strict=True)])


def _tile(operands: Operands) -> None:
    shape, repeats = operands.shape(0), operands.numbers(1)
    operands.vector(1, len(shape))
    if repeats is not None:
        operands.need(min(repeats, default=0) >= 0, f"{operands.label(1)} repeats {min(repeats, default=0)} times")
        operands.yields([d * r for d, r in zip(shape, repeats, strict=True)])
    result = operands.result()
    whole = len(result) == len(shape) and all(r % d == 0 if d else r == 0 for d, r in zip(shape, result, strict=True))
    operands.need(whole, f"{list(result)} is no repetition of {list(shape)}")


def _concat(operands: Operands) -> None:
    axis_at, first = operands.node.integer("axis", 0), operands.shape(0)
    axis, total = operands.axis(axis_at, operands.rank(0, 1)), 0
    for index in range(operands.count):
        part = operands.shape(index)
        good = len(part) == len(first) and all(i == axis or a == b for i, (a, b) in enumerate(zip(part, first, strict=True)))
        operands.need(good, f"{operands.label(index)} of shape {list(part)} does not join {list(first)} along axis {axis}")
        total += part[axis]
    operands.yields((*first[:axis], total, *first[axis + 1 :]))


def _split(operands: Operands) -> None:
    shape, parts = operands.shape(0), len(operands.node.outputs)
    axis = operands.axis(operands.node.integer("axis", 0), operands.rank(0, 1))
    operands.vector(1, parts)
    sizes = operands.numbers(1) if operands.given(1) else _equal_parts(operands, shape[axis], parts)
    if sizes is None:
        results = [operands.result(i) for i in range(parts)]
        sizes = [result[axis] if len(result) == len(shape) else -1 for result in results]
    good = min(sizes) >= 0 and sum(sizes) == shape[axis]
    operands.need(good, f"the parts {sizes} do not add up to the {shape[axis]} of axis {axis}")
    for index, part in enumerate(sizes):
        operands.yields((*shape[:axis], part, *shape[axis + 1 :]), index)


def _equal_parts(operands: Operands, extent: int, parts: int) -> list[int]:
    count = operands.node.integer("num_outputs", parts)
    operands.need(count == parts, f"there are {parts} outputs, num_outputs is {count}")
    uneven = "num_outputs" not in operands.node.attributes and extent % parts
    operands.need(not uneven, f"{extent} elements do not split into {parts} equal parts")
    chunk = -(-extent // parts)
    return [max(min(chunk, extent - i * chunk), 0) for i in range(parts)]


def _slice(operands: Operands) -> None:
    shape = operands.shape(0)
    operands.vector(1)
    count = operands.shape(1)[0]
    operands.rank(2, 1, 1)
    operands.vector(2, count)
    for index in (3, 4):
        operands.vector(index, count)
    given = [operands.numbers(i) if operands.given(i) else [] for i in (1, 2, 3, 4)]
    starts, ends, axes, steps = given
    if steps:
        operands.need(0 not in steps, f"{operands.label(4)} holds a step of 0")
    if axes is None or starts is None or ends is None or steps is None:
        return
    places, dims = operands.axes(axes or range(count), len(shape)), list(shape)
    for place, start, end, step in zip(places, starts, ends, steps or [1] * count, strict=True):
        dims[place] = len(range(*slice(start, end, step).indices(shape[place])))
    operands.yields(dims)


def _pad(operands: Operands) -> None:
    shape, mode = operands.shape(0), operands.node.text("mode", "constant")
    operands.need(mode in ("constant", "reflect", "edge", "wrap"), f"mode '{mode}' is not known")
    operands.vector(3)
    count = operands.shape(3)[0] if operands.given(3) else len(shape)
    operands.vector(1, 2 * count)
    operands.single(2)
    operands.same_type(0, 2)
    pads, given = operands.numbers(1), operands.numbers(3) if operands.given(3) else list(range(len(shape)))
    if pads is None or given is None:
        return
    axes, dims = operands.axes(given, len(shape)), list(shape)
    for place, axis in enumerate(axes):
        dims[axis] += pads[place] + pads[place + count]
    operands.need(min(dims, default=0) >= 0, f"pads {pads} leave {dims} of {list(shape)}")
    hollow = mode != "constant" and any(d > 0 and s == 0 for d, s in zip(dims, shape, strict=True))
    operands.need(not hollow, f"mode '{mode}' has no element of {operands.label(0)} of shape {list(shape)} to repeat")
    operands.yields(dims)


RULES = {
    "Transpose": _transpose,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Expand": _expand,
    "Tile": _tile,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Pad": _pad,
}
