"""DynamicConv and DynamicGemm of any shape: the sums of ConvInteger or MatMulInteger, scaled in a second pass."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from edgeopt.ir import Node, TensorType
from edgeopt.kernels.call import Input, Kernel, KernelCall, Operand, Output, Site, Temporary, Tensor
from edgeopt.kernels.integer import conv_integer, matmul_integer
from edgeopt.kernels.integer.dynamic_end import end_call

STANDARD = {"DynamicConv": conv_integer.KERNELS[1], "DynamicGemm": matmul_integer.KERNELS[1]}
READ = (0, 3, 2, 5)  # x, w and their zero points, in the order of the standard operators


def select(site: Site) -> tuple[KernelCall, ...]:
    """The calls for a DynamicConv or DynamicGemm. Raises Declined for what the standard operator declines."""
    kernel, shape = STANDARD[site.node.op], site.outputs[0].shape
    result = Tensor(TensorType("int32", shape))
    node = Node(kernel.ops[0], [], [], dict(site.node.attributes), name=site.node.name)
    calls = kernel.select(Site(node, tuple(site.optional(i) for i in READ), (result,), site.target))
    sums = Temporary("sums", prod(shape), dtype="int32")
    places: dict[Operand, Operand] = {Input(i): Input(index) for i, index in enumerate(READ)}
    places[Output(0)] = sums
    moved = [replace(call, operands=tuple(places.get(o, o) for o in call.operands)) for call in calls]
    return (*moved, *end_call(site, sums))


KERNEL = Kernel("dynamic_plain", ("DynamicConv", "DynamicGemm"), select)
