"""Graphs whose weights have zero blocks, as one sparse operator and as the dense one it stands for."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.interpret import interpret
from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Graph, Node
from edgeopt.ir.block_rows import Block, encode
from edgeopt.kernels.call import Kernel
from edgeopt.ops import infer_types
from edgeopt.target import target
from tests.drawing import RNG
from tests.kernels.harness import check, single, uniform

AVX2 = pytest.param("x86-64-v3", marks=pytest.mark.skipif(not target("x86-64-v3").runs_here, reason="this is no AVX2 processor"))
EVERYWHERE = pytest.mark.parametrize("where", ["host", AVX2])
PLACES = {"FusedConv": (1, 4, 5), "FusedGemm": (1, 4, 5), "QuantConv": (3, 12, 13), "QuantGemm": (3, 12, 13)}


def thinned(weight: Array, block: Block, density: float, random: np.random.Generator = RNG) -> Array:
    """``weight`` [outputs, inputs, ...] with blocks set to zero at random, but for a share of ``density``."""
    outputs, inputs = weight.shape[:2]
    rows, columns = -(-outputs // block[0]), -(-inputs // block[1])
    kept = random.random((rows, columns, *weight.shape[2:])) < density
    mask = kept.repeat(block[0], axis=0)[:outputs].repeat(block[1], axis=1)[:, :inputs]
    return np.where(mask, weight, 0).astype(weight.dtype)


def make_sparse(graph: Graph, block: Block) -> Node:
    """Turn the only node of ``graph``, a dense product with a constant weight, into the sparse operator; returns that."""
    (node,) = graph.nodes
    data, indices, indptr = PLACES[node.op]
    weight = node.constant(data)
    assert weight is not None
    stored = encode(weight.T if node.op.endswith("Gemm") else weight, block)
    node.attributes |= {"weight_shape": list(weight.shape), "block": list(block)}
    node.op = "Sparse" + node.op.removeprefix("Fused")
    for index, array in ((data, stored.data), (indices, stored.indices), (indptr, stored.indptr)):
        node.set_input(index, graph.constant("stored", array))
    infer_types(graph)
    return node


def check_convolution(
    kernel: Kernel,
    block: Block,
    shape: tuple[int, ...],
    weight: tuple[int, ...],
    attributes: dict[str, Attribute],
    density: float = 0.3,
    where: str = "host",
    added: bool = False,
) -> None:
    """Compare a kernel of float convolutions with the dense operator on the same weight; ``added``: with a residual."""
    data: dict[str, Array] = {"x": uniform(*shape)}
    constants = [thinned(uniform(*weight), block, density), uniform(weight[0])]
    if added:
        plain = single("FusedConv", data, constants, attributes, OWN_DOMAIN)
        data["r"] = uniform(*next(iter(interpret(plain, data).values())).shape)
    graph = single("FusedConv", data, constants, attributes, OWN_DOMAIN, extra=[data["r"]] if added else [])
    dense = next(iter(interpret(graph, data).values()))
    make_sparse(graph, block)
    np.testing.assert_allclose(next(iter(interpret(graph, data).values())), dense, rtol=0, atol=1e-6)
    check(graph, data, [kernel], where)
