"""Normalisations: one parameter for each channel, group or element that it belongs to."""

from __future__ import annotations

from edgeopt.ops.contracts.operands import Operands

GROUPS_UNTIL = 21  # from this opset GroupNormalization has a scale for each channel instead of each group


def _batch(operands: Operands) -> None:
    x = operands.shape(0)
    channels = x[1] if operands.rank(0, 1) > 1 else 1
    for index in range(1, 5):
        operands.fits(index, (channels,))
    operands.same_type(1, 2)
    operands.same_type(3, 4)
    operands.yields(x)
    for index in (1, 2):
        operands.yields((channels,), index)


def _instance(operands: Operands) -> None:
    operands.rank(0, 3)
    operands.same_type(0, 1, 2)
    for index in (1, 2):
        operands.fits(index, (operands.shape(0)[1],))
    operands.yields(operands.shape(0))


def _group(operands: Operands) -> None:
    groups, x = operands.node.integer("num_groups", 1), operands.shape(0)
    operands.rank(0, 3)
    operands.same_type(0, 1, 2)
    operands.need(groups > 0 and x[1] % groups == 0, f"{x[1]} channels do not divide into {groups} groups")
    for index in (1, 2):
        operands.fits(index, (groups if operands.opset < GROUPS_UNTIL else x[1],))
    operands.yields(x)


def _layer(operands: Operands) -> None:
    x = operands.shape(0)
    axis = operands.axis(operands.node.integer("axis", -1), operands.rank(0, 1))
    for index in (1, 2):
        operands.spreads(index, x)
    operands.yields(x)
    for index in (1, 2):
        operands.yields((*x[:axis], *(1,) * (len(x) - axis)), index)


def _mean_variance(operands: Operands) -> None:
    x = operands.shape(0)
    operands.axes(operands.node.integers("axes", (0, 2, 3)), len(x))
    operands.yields(x)


def _lp(operands: Operands) -> None:
    x = operands.shape(0)
    operands.axis(operands.node.integer("axis", -1), operands.rank(0, 1))
    operands.need(operands.node.integer("p", 2) in (1, 2), f"the power p is {operands.node.integer('p', 2)}, 1 or 2 is needed")
    operands.yields(x)


def _lrn(operands: Operands) -> None:
    operands.rank(0, 2)
    size = operands.node.integer("size", 1)
    operands.need(size > 0, f"the size is {size}, at least 1 is needed")
    operands.yields(operands.shape(0))


RULES = {
    "BatchNormalization": _batch,
    "InstanceNormalization": _instance,
    "GroupNormalization": _group,
    "LayerNormalization": _layer,
    "RMSNormalization": _layer,
    "MeanVarianceNormalization": _mean_variance,
    "LpNormalization": _lp,
    "LRN": _lrn,
}
