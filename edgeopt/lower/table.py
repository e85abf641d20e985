"""The one table of kernels: it feeds selection, tests and benchmarks. The first entry that serves a node is taken."""

from __future__ import annotations

from types import ModuleType

from edgeopt.kernels import (
    arg_reduce,
    batch_normalization,
    binary,
    cast,
    choose,
    concat,
    conv_blocked,
    conv_depthwise,
    conv_direct,
    conv_integer,
    conv_stem,
    conv_transpose,
    conv_winograd,
    copy,
    dynamic_plain,
    dynamic_product,
    dynamic_quantize,
    einsum,
    fill,
    gather,
    gemm,
    gemv,
    global_pool_blocked,
    grid_sample,
    gru,
    lrn,
    lstm,
    matmul_integer,
    matmul_plain,
    max_pool_bytes,
    normalization,
    normalize_axes,
    pad,
    pointwise_blocked,
    pool,
    pool_blocked,
    quant_add,
    quant_conv,
    quant_depthwise,
    quant_gemm,
    quant_global_pool,
    quant_lookup,
    quant_plain,
    quant_product_plain,
    quantize,
    quantize_stem,
    reduce,
    remap_blocked,
    resize,
    roi_align,
    scan_axis,
    scatter,
    softmax,
    top_k,
    transpose,
    unary,
    variadic,
)
from edgeopt.kernels.call import Kernel

HOT: tuple[ModuleType, ...] = (
    conv_stem,
    conv_depthwise,
    conv_winograd,
    conv_blocked,
    quant_depthwise,
    quant_conv,
    dynamic_product,
    quantize_stem,
    dynamic_quantize,
    quant_add,
    quant_lookup,
    quant_global_pool,
    max_pool_bytes,
    pool_blocked,
    global_pool_blocked,
    pointwise_blocked,
    remap_blocked,
)

PLAIN: tuple[ModuleType, ...] = (
    conv_direct,
    conv_transpose,
    pool,
    gemv,
    gemm,
    matmul_plain,
    unary,
    binary,
    choose,
    cast,
    softmax,
    reduce,
    copy,
    transpose,
    concat,
    gather,
    pad,
    resize,
    lrn,
    batch_normalization,
    normalization,
    normalize_axes,
    lstm,
    gru,
    quantize,
    conv_integer,
    matmul_integer,
    dynamic_plain,
    quant_gemm,
    quant_product_plain,
    quant_plain,
    arg_reduce,
    fill,
    scan_axis,
    scatter,
    top_k,
    grid_sample,
    roi_align,
    einsum,
    variadic,
)


def _entries(module: ModuleType) -> tuple[Kernel, ...]:
    return tuple(module.KERNELS) if hasattr(module, "KERNELS") else (module.KERNEL,)


TABLE: tuple[Kernel, ...] = tuple(kernel for module in (*HOT, *PLAIN) for kernel in _entries(module))


def kernels_for(level: int) -> tuple[Kernel, ...]:
    """The table at an optimisation level: below 2 without the kernels whose rounding is gated by measurement (Winograd)."""
    gated = _entries(conv_winograd)
    return TABLE if level >= 2 else tuple(kernel for kernel in TABLE if kernel not in gated)
