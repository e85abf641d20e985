"""The dense operator that a sparse one means, with its weight filled in: what geometry, grids and epilogues are read from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeopt.ir import Node, Value
from edgeopt.ir.block_rows import BlockRows, decode
from edgeopt.kernels.call import Declined, Site
from edgeopt.kernels.stand_in import constant
from edgeopt.kernels.walk.plane_window import Halo, plane_window

# sparse operator -> dense operator, and where data, indices and indptr stand among the inputs, as edgeopt.ops.sparse says
DENSE = {
    "SparseConv": ("FusedConv", 1, 4, 5),
    "SparseGemm": ("FusedGemm", 1, 4, 5),
    "SparseQuantConv": ("QuantConv", 3, 12, 13),
    "SparseQuantGemm": ("QuantGemm", 3, 12, 13),
}


def dense_site(site: Site) -> Site:
    """``site`` as that of the dense operator. Raises Declined when a part of the weight is computed."""
    op, data, indices, indptr = DENSE[site.node.op]
    shape, stored = site.node.integers("weight_shape"), BlockRows(*(site.constant(i) for i in (data, indices, indptr)))
    weight = decode(stored, shape[::-1]).T if op.endswith("Gemm") else decode(stored, shape)
    filled = constant(np.ascontiguousarray(weight))
    tensors, values = list(site.inputs[:indices]), list(site.node.inputs[:indices])
    tensors[data], values[data] = filled, Value("weight", filled.type)
    kept = {k: v for k, v in site.node.attributes.items() if k not in ("weight_shape", "block")}
    node = Node(op, values, site.node.outputs, kept, site.node.domain, site.node.name)
    return replace(site, node=node, inputs=tuple(tensors))


def block_of(site: Site) -> tuple[int, int]:
    """Outputs and inputs of a block of the weight."""
    height, width = site.node.integers("block")
    return height, width


def halo(node: Node) -> Halo:
    """The border a sparse convolution needs around its input; none where it declines."""
    try:
        return plane_window(node, node.integers("weight_shape")[2:]).halo
    except Declined:
        return 0, 0, 0, 0
