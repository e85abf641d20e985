"""What integer kernels read from a node: grids (scale and zero point) of its tensors, and the numbers that come of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgeopt.ir import Array, Node
from edgeopt.ir.match import code_limits
from edgeopt.kernels.call import Declined, Site, Tensor
from edgeopt.kernels.emit.emitter import signed_dot
from edgeopt.kernels.emit.epilogue import Activation, activation_of
from edgeopt.kernels.integer.quant_dot import dot_form, flips_before, for_words
from edgeopt.kernels.integer.requantize import LARGE, Numbers, Requantize

LIMITS = {"uint8": (0, 255), "int8": (-128, 127)}
INTEGERS = tuple(LIMITS)
WIDE_LIMITS = {"uint16": (0, 65535), "int16": (-32768, 32767)}
CODE_LIMITS = {**LIMITS, **WIDE_LIMITS}
SUM_LIMIT = 2**31  # of the magnitude of a sum, exclusive
X, WEIGHT, BIAS, RESULT, RESIDUAL = 0, 3, 6, 7, 9  # inputs of QuantConv and QuantGemm


@dataclass(frozen=True, eq=False)
class Grid:
    """value = scale (code - zero); scale and zero are scalars or vectors along the output channels."""

    scale: Array
    zero: Array


def grid(site: Site, index: int) -> Grid:
    """The grid whose scale is input ``index`` and whose zero point, the one after it. Raises Declined when it is computed."""
    scale = site.constant(index)
    zero = site.constant(index + 1) if site.optional(index + 1) is not None else np.zeros(1, np.int32)
    return Grid(scale.astype(np.float64).reshape(-1), zero.astype(np.int64).reshape(-1))


def per_tensor(site: Site, index: int) -> tuple[float, int]:
    """Scale and zero point of an activation. Raises Declined when they are vectors."""
    found = grid(site, index)
    if found.scale.size != 1 or found.zero.size != 1:
        raise Declined(f"input {index} is no single scale")
    return float(found.scale[0]), int(found.zero[0])


def require_bytes(*tensors: Tensor) -> None:
    """Raises Declined for other element types than uint8 and int8."""
    for tensor in tensors:
        if tensor.type.dtype not in INTEGERS:
            raise Declined(f"element type {tensor.type.dtype}")


def tile_site(site: Site, axis: int, weight: Array | None = None) -> Site:
    """The site as a tile sees it, which multiplies words where x holds codes of 16 bits.

    ``weight``: the centred one with all outputs along ``axis``, where it is stored otherwise.
    Raises Declined for other element types, and where a sum of such codes may leave 32 bits.
    """
    require_codes(site.given(X))
    if site.given(X).type.dtype in LIMITS:
        return site
    if (largest_sum(site, centred(site, axis) if weight is None else weight, axis) >= SUM_LIMIT).any():
        raise Declined("its sums may not fit 32 bits")
    return replace(site, target=for_words(site.target))


def require_codes(*tensors: Tensor) -> None:
    """Raises Declined for other element types than integers of 8 and 16 bits."""
    for tensor in tensors:
        if tensor.type.dtype not in CODE_LIMITS:
            raise Declined(f"element type {tensor.type.dtype}")


def require_result(tensor: Tensor) -> None:
    """Raises Declined for other element types of a result than integers of 8 and 16 bits and float32."""
    if tensor.type.dtype not in (*CODE_LIMITS, "float32"):
        raise Declined(f"element type {tensor.type.dtype}")


def centred(site: Site, axis: int, dtype: str = "int8") -> Array:
    """The codes of the weight minus its zero point, as ``dtype``. Raises Declined when they do not fit."""
    zero = grid(site, WEIGHT + 1).zero
    codes = site.constant(WEIGHT)
    shape = [-1 if i == axis else 1 for i in range(codes.ndim)]
    moved = codes.astype(np.int64) - (zero.reshape(shape) if zero.size > 1 else zero[0])
    limits = np.iinfo(dtype)
    if moved.size and (moved.min() < limits.min or moved.max() > limits.max):
        raise Declined("its weight minus the zero point does not fit 8 bits")
    return moved.astype(dtype)


def flipped(site: Site) -> bool:
    """True when the codes of x have to change sign for the target's dot product."""
    return dot_form(site.target) != "words" and (site.given(X).type.dtype == "int8") != signed_dot(site.target)


def tile_flips(site: Site) -> bool:
    """True when the tiles have to do that, as their x is no copy that was flipped before (``quant_dot.as_multiplied``)."""
    return flipped(site) and not flips_before(site.target, site.given(X).type.dtype)


def seen_zero(site: Site) -> int:
    """The zero point of x as the dot product sees it."""
    zero = per_tensor(site, X + 1)[1]
    if site.given(X).type.dtype == "uint16":
        return zero - 32768
    return zero if not flipped(site) else zero + 128 if site.given(X).type.dtype == "int8" else zero - 128


def ending(site: Site, weight: Array, axis: int, zero: int = 0) -> tuple[Requantize, Numbers]:
    """The end of a convolution or product with ``weight`` (centred).

    ``zero`` is the zero point of x that its sums still hold; it goes into the bias: sum (x - z) w = sum x w - z sum w.
    """
    others = tuple(i for i in range(weight.ndim) if i != axis)
    total = weight.sum(axis=others, dtype=np.int64)
    bias = (site.constant(BIAS).astype(np.int64) if site.optional(BIAS) is not None else 0) - zero * total
    scale = grid(site, WEIGHT + 1).scale
    scale = np.tile(scale, total.size // scale.size)  # one for all, or groups that share theirs
    unit = per_tensor(site, X + 1)[0] * scale
    return finished(site, bias, unit, largest_sum(site, weight, axis))


def finished(site: Site, bias: Array, step: Array, largest: Array) -> tuple[Requantize, Numbers]:
    """The end of sums of integers: for each output channel ``bias`` is added, one more is ``step`` in real values,

    and no sum with its bias is of a greater magnitude than ``largest``.
    """
    result = site.outputs[0].type.dtype
    y_scale, y_zero = per_tensor(site, RESULT) if result != "float32" else (1.0, 0)
    activation = activation_of(site.node)
    inside = result == "float32" or activation.kind not in ("", "Relu", "Clip")  # sums are scaled to real values first
    unit = 1.0 if inside else y_scale
    multiplier = step / unit
    largest = largest * multiplier / (y_scale if inside else 1)
    limits = limits_of(site.node, activation, result, y_scale, y_zero)
    added, grid_added = "", (0.0, 0.0)
    residual = site.optional(RESIDUAL)
    if residual is not None:
        scale, zero = per_tensor(site, RESIDUAL + 1)
        added, grid_added = residual.type.dtype, (scale / unit, -zero * scale / unit)
        low, high = CODE_LIMITS.get(added, (0, 0))
        largest = largest + (high - low + 1) * scale / y_scale
    how = Requantize(
        result=result,
        added=added,
        shifted=y_zero != 0,
        limited=result in LIMITS and limits != LIMITS[result],
        guarded=bool((largest >= LARGE).any()),
        activation=activation if inside else Activation(),
    )
    return how, Numbers(bias.astype(np.int32), multiplier, y_zero, limits, grid_added, 1 / y_scale)


def largest_sum(site: Site, weight: Array, axis: int, reach: int = 0) -> Array:
    """For each output channel a bound of the magnitude of its sum. No code of x is farther than ``reach`` from its zero point,

    which by default is as far as a code can be.
    """
    (low, high), zero = CODE_LIMITS[site.given(X).type.dtype], per_tensor(site, X + 1)[1]
    others = tuple(i for i in range(weight.ndim) if i != axis)
    bias = np.abs(site.constant(BIAS).astype(np.int64)) if site.optional(BIAS) is not None else 0
    farthest: Array = np.abs(weight.astype(np.int64)).sum(axis=others) * (reach or max(high - zero, zero - low)) + bias
    return farthest


def limits_of(node: Node, activation: Activation, result: str, scale: float, zero: int) -> tuple[int, int]:
    """The codes between which the activation limits the result, and what ``node`` says of them."""
    low, high = code_limits(node) or CODE_LIMITS.get(result, (0, 0))
    if activation.kind == "Relu":
        return min(max(low, zero), high), high
    if activation.kind == "Clip":
        ends = [round(float(np.rint(np.float32(b) / np.float32(scale)))) + zero for b in (activation.alpha, activation.beta)]
        return min(max(low, ends[0]), high), max(min(high, ends[1]), low)
    return low, high


def limits_alone(node: Node, result: str) -> tuple[tuple[int, int], bool]:
    """The codes between which the result of ``node`` lies, and whether these are narrower than the type."""
    limits = limits_of(node, Activation(), result, 1.0, 0)
    return limits, limits != CODE_LIMITS.get(result, limits)


def x_zero(node: Node) -> int:
    """The zero point of the first input of an integer node; 0 when it is not a constant."""
    zero = node.constant(2)
    return int(zero.reshape(-1)[0]) if zero is not None and zero.size == 1 else 0
