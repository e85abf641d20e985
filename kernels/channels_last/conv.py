"""Integer convolution of maps that lie channels last, by gathered windows; groups of several channels are left to others."""

from __future__ import annotations

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Site, Temporary, Tensor
from edgeopt.kernels.channels_last.columns import Columns
from edgeopt.kernels.channels_last.ending import Ending, ending_of
from edgeopt.kernels.channels_last.products import form_of, packed, product_of
from edgeopt.kernels.channels_last.tiles import Tiles, tiles_function
from edgeopt.kernels.integer.quant_operands import RESIDUAL, centred, ending, per_tensor, require_bytes
from edgeopt.kernels.integer.requantize import Numbers, Requantize
from edgeopt.kernels.walk.plane_window import plane_window
from edgeopt.target import Target


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a QuantConv. Raises Declined for groups and other layouts."""
    require_last(site)
    x, y, weight = site.given(0), site.outputs[0], centred(site, 0)
    if site.node.integer("group", 1) != 1:
        raise Declined("it is grouped")
    window = plane_window(site.node, weight.shape[2:])
    zero = per_tensor(site, 1)[1]
    _, channels, height, width = x.shape
    columns = Columns(form_of(site.target), window, height, width, channels, x.type.dtype == "int8", zero)
    rows, across = y.shape[2:]
    return (product_call(site, columns, columns.arranged(weight), (rows, across), 0),)


def product_call(site: Site, columns: Columns, weight: Array, size: tuple[int, int], axis: int) -> KernelCall:
    """The call of a product with ``weight`` [O, K], whose outputs lie along ``axis`` in the node's own, for ``size`` pixels."""
    x, y, target = site.given(0), site.outputs[0], site.target
    how, numbers = ending(site, centred(site, axis), axis, columns.gathered_zero)
    end, words = endings(target, how, numbers, weight.shape[0])
    product = product_of(target, columns.depth, weight.shape[0], size[0] * size[1])
    tiles = Tiles(columns, product, end, *size)
    images = x.elements // (columns.height * columns.width * columns.channels)
    function = tiles_function(target, tiles, (x.elements // images, y.elements // images))
    residual: Operand = Input(RESIDUAL) if site.optional(RESIDUAL) is not None else Output()
    given = (Input(0), Packed(packed(product, weight)), Packed(words), residual, Output())
    lag = columns.lag(size[0], size[1] * end.outputs * end.result_bytes)
    once = end.how.added and not weight.shape[0] % product.channels  # no channel is computed again after its residual is gone
    over = ((0, lag), *(((RESIDUAL, 0),) if once else ())) if images == 1 else ()
    return KernelCall(function, (*given, Temporary("columns", tiles.scratch_bytes, True, "int8")), (), images, overlaps=over)


def endings(target: Target, how: Requantize, numbers: Numbers, outputs: int) -> tuple[Ending, Array]:
    """As ``ending_of``; for vectors biases and multipliers are filled up to whole ones."""
    if not target.mve:
        return ending_of(target, how, numbers, outputs)
    padded = outputs + -outputs % 4
    end, words = ending_of(target, how, _filled(numbers, padded - outputs), padded)
    return Ending(end.how, end.form, outputs), words


def _filled(numbers: Numbers, more: int) -> Numbers:
    bias, multiplier = (np.concatenate([a, np.zeros(more, a.dtype)]) for a in (numbers.bias, numbers.multiplier))
    return Numbers(bias, multiplier, numbers.zero, numbers.limits, numbers.added, numbers.factor)


def require_last(site: Site) -> None:
    """Raises Declined for maps that do not lie channels last, and for other codes than bytes."""
    if not site.target.channels_last:
        raise Declined("its target has kernels for maps in blocks")
    x, y, residual = site.given(0), site.outputs[0], site.optional(RESIDUAL) if site.node.op != "QuantGlobalAveragePool" else None
    require_bytes(x)
    if y.type.dtype != "float32":
        require_bytes(y)
    for tensor in (x, y, *([residual] if residual is not None else [])):
        if not lies_last(tensor):
            raise Declined("its operands do not lie channels last")


def lies_last(tensor: Tensor) -> bool:
    """True for maps whose channels lie side by side, without a border."""
    return len(tensor.shape) == 4 and tensor.layout.block == tensor.shape[1] and not any(tensor.layout.halo)


KERNEL = Kernel("conv_last", ("QuantConv",), select, layout="blocked", hot=True, last="only")
