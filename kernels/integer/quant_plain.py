"""Integer operators of any shape by their meaning: dequantise into scratch memory, compute in float, quantise.

The form that serves every target; blocked forms come before it in the table. QuantLookup reads its table directly.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from edgeopt.ir import Array, Node, TensorType
from edgeopt.ir.match import code_limits
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Site, Temporary, Tensor
from edgeopt.kernels.conv import conv_transpose
from edgeopt.kernels.emit.elements import static
from edgeopt.kernels.gemm import gemm, matmul_plain
from edgeopt.kernels.integer import quantize, quantize_vector
from edgeopt.kernels.move import concat
from edgeopt.kernels.pointwise import binary, choose, unary
from edgeopt.kernels.pool import pool
from edgeopt.kernels.reduce import reduce, softmax, softmax_vector
from edgeopt.kernels.walk.strided import grid, row_major

_KERNELS: tuple[Kernel, ...] = tuple(
    k
    for module in (
        binary,
        choose,
        concat,
        conv_transpose,
        gemm,
        matmul_plain,
        pool,
        quantize_vector,
        quantize,
        reduce,
        softmax_vector,
        softmax,
        unary,
    )
    for k in (module.KERNELS if hasattr(module, "KERNELS") else (module.KERNEL,))
    if k.layout == "plain"
)


def compute(
    op: str, site: Site, inputs: tuple[Tensor | None, ...], output: Tensor, operands: tuple[Operand, ...]
) -> list[KernelCall]:
    """The calls of the standard operator ``op`` with the attributes of ``site``'s node, reading and writing ``operands``.

    ``operands`` are those of the inputs, then that of the output.
    """
    node = Node(op, [], [], dict(site.node.attributes), name=site.node.name)
    calls = _calls(Site(node, inputs, (output,), site.target))
    places: dict[Operand, Operand] = {Input(i): o for i, o in enumerate(operands[:-1])}
    places[Output(0)] = operands[-1]
    return [replace(call, operands=tuple(places.get(o, o) for o in call.operands)) for call in calls]


def _calls(site: Site) -> tuple[KernelCall, ...]:
    """The calls of the first kernel that serves the site. Raises Declined by the last."""
    kernels = [k for k in _KERNELS if site.node.op in k.ops]
    for kernel in kernels[:-1]:
        with suppress(Declined):
            return kernel.select(site)
    return kernels[-1].select(site)


def _memory(name: str, tensor: Tensor) -> Temporary:
    return Temporary(name, tensor.elements)


def _scale(site: Site, index: int, unit: Array | None) -> tuple[Tensor, Operand]:
    """The scale that is input ``index``, as a multiple of ``unit`` when that is given."""
    scale = site.given(index)
    if unit is None or scale.array is None:
        return scale, Input(index)
    ratio = np.asarray(scale.array / unit, np.float32)
    return Tensor(scale.type, array=ratio), Packed(ratio)


def _unit(site: Site, parts: tuple[int, ...], result: int) -> Array | None:
    """The scale of the result where codes are multiplied by ratios of scales, as QLinearAdd does; None where they are not."""
    known = all(site.given(i + 1).array is not None for i in parts)
    ratios = site.node.integer("ratios", 0) and site.node.text("activation", "") in ("", "Relu")
    return site.given(result).array if ratios and known else None


def real_input(site: Site, index: int, unit: Array | None) -> tuple[Tensor, Operand, list[KernelCall]]:
    """Input ``index`` in float: its tensor, the memory it is put into, and the calls that do it."""
    x, zero = site.given(index), site.optional(index + 2)
    scale, place = _scale(site, index + 1, unit)
    made = Tensor(TensorType("float32", x.shape))
    memory = _memory(f"real {index}", made)
    inputs: tuple[Operand, ...] = (Input(index), place, Input(index + 2), memory)
    return made, memory, compute("DequantizeLinear", site, (x, scale, zero), made, inputs)


def _select(op: str, parts: tuple[int, ...], result: int, site: Site) -> tuple[KernelCall, ...]:
    y = site.outputs[0]
    static(*site.inputs, y)
    unit = _unit(site, parts, result)
    reals = [real_input(site, index, unit) for index in parts]
    calls = [call for _, _, made in reals for call in made]
    whole = Tensor(TensorType("float32", y.shape))
    memory: Operand = _memory("result", whole)
    calls += compute(op, site, tuple(t for t, _, _ in reals), whole, (*(m for _, m, _ in reals), memory))
    return (*calls, *quantized(site, whole, memory, result, unit))


def quantized(site: Site, whole: Tensor, memory: Operand, result: int, unit: Array | None) -> list[KernelCall]:
    """The activation of ``whole``, which lies in ``memory``, and its codes on the grid of input ``result``, if there is one."""
    kind, ends_real, calls = site.node.text("activation", ""), site.optional(result) is None, []
    if kind:
        activated: Operand = Output(0) if ends_real else _memory("activated", whole)
        calls += compute(kind, site, (whole,), whole, (memory, activated))
        memory = activated
    if not ends_real:
        scale, place = _scale(site, result, unit)
        grid_, y, limits = (whole, scale, site.optional(result + 1)), site.outputs[0], code_limits(site.node)
        codes: Operand = Temporary("codes", y.elements, dtype=y.type.dtype) if limits else Output(0)
        calls += compute("QuantizeLinear", site, grid_, y, (memory, place, Input(result + 1), codes))
        if limits:
            bounds = [np.array(v, y.type.dtype) for v in limits]
            tensors = [Tensor(TensorType(y.type.dtype, ()), array=b) for b in bounds]
            calls += compute("Clip", site, (y, *tensors), y, (codes, *(Packed(b) for b in bounds), Output(0)))
    return calls


def _binary(site: Site) -> tuple[KernelCall, ...]:
    return _select(site.node.op.removeprefix("Quant"), (0, 3), 6, site)


def _unary(site: Site) -> tuple[KernelCall, ...]:
    return _select(site.node.op.removeprefix("Quant"), (0,), 3, site)


def _concat(site: Site) -> tuple[KernelCall, ...]:
    attributes = {**site.node.attributes, "axis": site.node.integer("axis", 1)}  # which Concat itself does not presume
    along = replace(site, node=Node(site.node.op, [], [], attributes, name=site.node.name))
    return _select("Concat", tuple(range(2, len(site.inputs), 3)), 0, along)


def _look_up(x: Any, table: Any, y: Any, begin: Any, end: Any, n: Any, first: Any) -> None:
    for i in range(begin * n, end * n):
        y[i] = table[x[i] - first]


def _lookup(site: Site) -> tuple[KernelCall, ...]:
    x, y = site.given(0), site.outputs[0]
    static(x, y)
    if x.type.dtype not in ("uint8", "int8"):
        raise Declined(f"element type {x.type.dtype}")
    cells = grid(y.shape, row_major(y.shape))
    constants = (y.elements // max(cells.chunks, 1), -128 if x.type.dtype == "int8" else 0)
    return (KernelCall(_look_up, (Input(0), Input(1), Output(0)), constants, cells.chunks),)


KERNELS = (
    Kernel("quant_binary_plain", ("QuantAdd", "QuantMul"), _binary),
    Kernel("quant_matmul_plain", ("QuantMatMul",), _binary, by_definition=True),
    Kernel("quant_unary_plain", ("QuantAveragePool", "QuantGlobalAveragePool", "QuantSoftmax"), _unary),
    Kernel("quant_concat_plain", ("QuantConcat",), _concat),
    Kernel("quant_lookup_plain", ("QuantLookup",), _lookup),
)
