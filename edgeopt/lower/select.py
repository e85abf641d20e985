"""Kernel selection: which entries of the table may serve a node, and which values may lie in channel blocks."""

from __future__ import annotations

from collections.abc import Sequence

from edgeopt.ir import OWN_DOMAIN, Node, TensorType, Value
from edgeopt.kernels.call import Kernel
from edgeopt.ops.table import OWN_OPS
from edgeopt.target import Target

BYTES = ("uint8", "int8")
WORDS = ("uint16", "int16")
SUMS = """Conv ConvInteger ConvTranspose DynamicConv DynamicGemm Einsum FusedAttention FusedConv FusedGemm GatedConv Gemm
HybridConv HybridGemm MatMul MatMulInteger PReluConv QLinearConv QLinearMatMul QuantConv QuantConvTranspose QuantGemm
QuantMatMul""".split()


def candidates(table: Sequence[Kernel], node: Node) -> list[Kernel]:
    """Entries that name the node's operator, in the order of the table."""
    return [k for k in table if node.op in k.ops] if node.domain in ("", OWN_DOMAIN) else []


def suits(kernel: Kernel, node: Node, target: Target) -> bool:
    """Whether ``kernel`` knows the layout in which ``target`` has the maps of ``node``."""
    if not target.channels_last:
        return kernel.last != "only"
    types = [v.type for v in (*node.inputs, *node.outputs) if v is not None and not v.is_constant]
    maps = any(can_block(t) and t is not None and t.dtype in BYTES for t in types)
    return bool(kernel.last) or kernel.layout == "plain" or not maps


def writes_maps(node: Node) -> bool:
    """Whether a node is a product that makes maps, blocked from the start."""
    return node.is_op("Conv", "ConvTranspose") or (node.domain == OWN_DOMAIN and OWN_OPS[node.op].maps)


def block_size(target: Target) -> int:
    """Channels in a block: the lanes of a vector, at least eight so that narrow vectors still amortise a broadcast."""
    return max(8, target.lanes)


def channels_at_once(target: Target) -> int:
    """Channels that take as long as fewer of them: a block, or on targets that have channels last a word of bytes."""
    return 4 if target.channels_last else block_size(target)


def can_block(type_: TensorType | None) -> bool:
    """Only maps (N, C, H, W) of float32 or codes of 8 or 16 bits and of static shape lie blocked."""
    return type_ is not None and type_.static and type_.dtype in ("float32", *BYTES, *WORDS) and len(type_.dims) == 4


def reads_blocked(kernel: Kernel, value: Value) -> bool:
    """Whether ``kernel`` reads ``value`` blocked where it can: constants lie plain, activations as the kernel says."""
    return kernel.layout == "blocked" and not value.is_constant and can_block(value.type)


def hollow(node: Node) -> bool:
    """Whether a product sums over nothing, which its kernel is not made for; the other operators have no such sums."""
    inputs = [v.type for v in node.inputs if v is not None and v.type is not None]
    return node.op in SUMS and any(type_.static and 0 in type_.dims for type_ in inputs)
