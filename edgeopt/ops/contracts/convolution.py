"""Convolutions: channels and groups, the kernel that the attributes tell against the one that is there, bias and residual."""

from __future__ import annotations

from collections.abc import Callable

from edgeopt.ops.contracts.operands import Operands, Shape
from edgeopt.ops.contracts.windows import Geometry, geometry, results

Rule = Callable[[Operands], None]


def kernel_of(operands: Operands, weight: int) -> Shape:
    """The spatial extents of input ``weight``; an attribute that says otherwise is refused."""
    w = operands.shape(weight)
    operands.rank(weight, operands.rank(0, 3), len(operands.shape(0)))
    told = operands.node.attributes.get("kernel_shape")
    given = operands.node.integers("kernel_shape")
    operands.need(told is None or given == w[2:], f"kernel_shape is {list(given)}, {operands.label(weight)} has {list(w[2:])}")
    return w[2:]


def channels_of(operands: Operands, weight: int) -> int:
    """The output channels of a convolution; raises Misfit when input, groups and input ``weight`` do not belong together."""
    x, w, group = operands.shape(0), operands.shape(weight), operands.node.integer("group", 1)
    operands.rank(weight, operands.rank(0, 3), len(x))
    operands.need(group > 0 and w[0] % group == 0, f"{w[0]} output channels do not divide into {group} groups")
    weights = f"{operands.label(weight)} of shape {list(w)} in {group} group(s)"
    operands.need(x[1] == w[1] * group, f"{operands.label(0)} has {x[1]} channels, {weights} takes {w[1] * group}")
    return w[0]


def convolution(weight: int, bias: int | None = None, residual: int | None = None) -> Rule:
    """The rule of a convolution whose weight, bias and residual are the inputs of these numbers."""

    def rule(operands: Operands) -> None:
        kernel, channels = kernel_of(operands, weight), channels_of(operands, weight)
        extents = results(operands, geometry(operands, kernel), operands.shape(0)[2:])
        shape = (operands.shape(0)[0], channels, *extents)
        if bias is not None:
            operands.fits(bias, (channels,))
        if residual is not None:
            operands.fits(residual, shape)
        operands.yields(shape)

    return rule


def _conv(operands: Operands) -> None:
    operands.same_type(0, 1, 2)
    convolution(1, 2)(operands)


def _fused_conv(operands: Operands) -> None:
    operands.same_type(0, 1, 2, 3)
    convolution(1, 2, 3)(operands)


def _prelu_conv(operands: Operands) -> None:
    operands.same_type(0, 1, 2, 3, 4)
    convolution(1, 2, 3)(operands)
    operands.need(operands.given(4), "it has no slopes")
    operands.fits(4, (operands.shape(1)[0], *[1] * (len(operands.shape(0)) - 2)))


def _gated_conv(operands: Operands) -> None:
    operands.same_type(0, 1, 2, 3, 4)
    convolution(1, 2, 3)(operands)
    operands.need(operands.given(4), "it has no gate")
    operands.fits(4, (*operands.shape(0)[:2], *[1] * (len(operands.shape(0)) - 2)))


def transposed(weight: int, bias: int) -> Rule:
    """The rule of a transposed convolution whose weight and bias are the inputs of these numbers."""

    def rule(operands: Operands) -> None:
        kernel, x = kernel_of(operands, weight), operands.shape(0)
        channels = transposed_channels(operands, weight)
        operands.fits(bias, (channels,))
        extents, others = _transposed_extents(operands, geometry(operands, kernel), x[2:])
        operands.need(min(extents) >= 0, f"its result would have the extents {extents}")
        head = (x[0], channels)
        operands.yields((*head, *extents), others=[(*head, *other) for other in others])

    return rule


def transposed_channels(operands: Operands, weight: int) -> int:
    """The output channels of a transposed convolution; raises Misfit as ``channels_of`` does."""
    x, w, group = operands.shape(0), operands.shape(weight), operands.node.integer("group", 1)
    weights = f"{operands.label(weight)} of shape {list(w)} in {group} group(s)"
    text = f"{operands.label(0)} has {x[1]} channels, {weights} takes {w[0]}"
    operands.need(group > 0 and w[0] % group == 0 and x[1] == w[0], text)
    return w[1] * group


def _transposed(operands: Operands) -> None:
    operands.same_type(0, 1, 2)
    transposed(1, 2)(operands)


def _transposed_extents(operands: Operands, found: Geometry, source: Shape) -> tuple[list[int], list[list[int]]]:
    """The extents of the result, and others that shape inference may have found."""
    extra = _output_padding(operands, found)
    whole = zip(found.strides, source, found.spans, found.begin, found.end, strict=True)
    bare = [s * (n - 1) + span - b - e for s, n, span, b, e in whole]
    told = operands.node.integers("output_shape")
    if told:
        most = [n + more - 1 for n, more in zip(_unpadded(bare, found), _most(found), strict=True)]
        return list(_told(operands, told, most)), []
    if operands.node.text("auto_pad", "NOTSET").startswith("SAME"):
        extents = [n * s for n, s in zip(source, found.strides, strict=True)]
        return extents, [[n + p for n, p in zip(extents, extra, strict=True)]]  # as shape inference counts it
    return [n + p for n, p in zip(bare, extra, strict=True)], []


def _most(found: Geometry) -> list[int]:
    """What an output padding has to stay below: a position that no tap reaches."""
    return [max(s, d) for s, d in zip(found.strides, found.dilations, strict=True)]


def _unpadded(extents: list[int], found: Geometry) -> list[int]:
    return [n + b + e for n, b, e in zip(extents, found.begin, found.end, strict=True)]


def _output_padding(operands: Operands, found: Geometry) -> Shape:
    extra, most = operands.node.integers("output_padding") or (0,) * len(found.kernel), _most(found)
    good = len(extra) == len(most) and all(0 <= p < limit for p, limit in zip(extra, most, strict=True))
    operands.need(good, f"output_padding is {list(extra)}, it must stay below the strides or dilations {most}")
    return extra


def _told(operands: Operands, told: Shape, most: list[int]) -> Shape:
    """``output_shape``, which cuts off of the full result and adds to it no more than an output padding may."""
    extents = told[-len(most) :] if len(told) == len(most) + 2 else told
    good = len(extents) == len(most) and all(0 < t <= m for t, m in zip(extents, most, strict=True))
    operands.need(good, f"output_shape is {list(told)}, its result reaches no further than {most}")
    return extents


RULES: dict[str, Rule] = {
    "Conv": _conv,
    "FusedConv": _fused_conv,
    "PReluConv": _prelu_conv,
    "GatedConv": _gated_conv,
    "ConvTranspose": _transposed,
}
