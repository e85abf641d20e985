"""LookupConv and LookupGemm: codes that name codewords there are, codebooks for every sub-space of every group."""

from __future__ import annotations

from edgeopt.ops.contracts.operands import Operands, Shape
from edgeopt.ops.contracts.quantization import factor, result_grid
from edgeopt.ops.contracts.quantized import codes
from edgeopt.ops.contracts.windows import geometry, results

LARGEST_SHIFT = 8  # sums that do not fit 16 bits do not fit 8 after it, so that kernels may saturate twice


def _weight(operands: Operands, channels: int, groups: int) -> int:
    """The outputs, when codes and codebooks are those of ``groups`` groups of ``channels`` inputs each."""
    found, books = operands.shape(3), operands.shape(4)
    operands.rank(4, 4, 4)
    operands.typed(3, "uint4", "uint8")
    operands.typed(4, "int8")
    text = f"{operands.label(3)} of shape {list(found)} and {operands.label(4)} of shape {list(books)}"
    operands.need(found[0] == books[0] > 0, f"{text} do not have one number of codebooks")
    operands.need(min(*books, *found) > 0 and groups > 0, f"{text} hold nothing, or there are {groups} groups")
    operands.need(found[1] % groups == 0, f"{found[1]} outputs do not divide into {groups} groups")
    spaces = -(-channels // books[3])
    operands.need(found[2] == spaces, f"{text} divide {channels} channels into other than {spaces} sub-spaces")
    operands.need(books[1] == groups * spaces, f"{operands.label(4)} holds no codebook for each of {groups * spaces} sub-spaces")
    operands.indices(3, books[2])
    _numbers(operands, found[1])
    return found[1]


def _numbers(operands: Operands, outputs: int) -> None:
    operands.typed(5, "float32")
    operands.fits(5, (), (1,), (outputs,))
    factor(operands, 5)
    operands.typed(6, "float32")
    operands.fits(6, (outputs,))
    result_grid(operands, 7)
    shift = operands.node.integer("shift", 0)
    operands.need(0 <= shift <= LARGEST_SHIFT, f"shift is {shift}, 0 to {LARGEST_SHIFT} is needed")


def _ends(operands: Operands, shape: Shape) -> None:
    operands.fits(9, shape)
    operands.yields(shape)


def _lookup_conv(operands: Operands) -> None:
    codes(operands, 0, 9)
    x, group = operands.shape(0), operands.node.integer("group", 1)
    rank = operands.rank(0, 3)
    operands.rank(3, rank + 1, rank + 1)
    operands.need(group > 0 and x[1] % group == 0, f"{x[1]} channels do not divide into {group} groups")
    kernel = operands.shape(3)[3:]
    given = operands.node.integers("kernel_shape")
    operands.need(given in ((), kernel), f"kernel_shape is {list(given)}, {operands.label(3)} has {list(kernel)}")
    outputs = _weight(operands, x[1] // group, group)
    _ends(operands, (x[0], outputs, *results(operands, geometry(operands, kernel), x[2:])))


def _lookup_gemm(operands: Operands) -> None:
    codes(operands, 0, 9)
    operands.rank(0, 2)
    operands.rank(3, 3, 3)
    x = operands.shape(0)
    _ends(operands, (*x[:-1], _weight(operands, x[-1], 1)))


RULES = {"LookupConv": _lookup_conv, "LookupGemm": _lookup_gemm}
