"""Weights stored by their nonzero blocks: which layers could be, in which blocks, and graphs in which they are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgeopt.ir import Graph
from edgeopt.ir.block_rows import Block, density
from edgeopt.ir.clone import clone
from edgeopt.ops.sparse import DENSE, STORAGE, outputs_first, stored_weight
from edgeopt.passes import dead_code, sparsify
from edgeopt.rewrite import Context, run_pass

PASSES = ("sparsify",)
ZEROS = 0.2  # share of zeros from which storing a weight by its blocks is looked into at all; chosen by hand
SMALL = 1024  # weights below which a layer is not looked into
# by operator: blocks that kernels are made for, and the share of blocks above which none is timed; shares chosen by hand
BLOCKS: Mapping[str, Mapping[Block, float]] = {
    "QuantConv": {(16, 4): 0.95},
    "QuantGemm": {(16, 4): 0.95, (1, 1): 0.4},
    "FusedConv": {(16, 1): 0.95, (1, 1): 0.8},
    "FusedGemm": {(16, 1): 0.95, (1, 1): 0.8},
}


def candidates(graph: Graph) -> dict[str, tuple[Block, ...]]:
    """The layers of ``graph`` whose weights hold many zeros, by name, with the blocks they may be stored in.

    None are left for a layer where nearly every block has something in it, as the zeros of codes in few bits do not fill any.
    """
    found = {}
    for node in graph.nodes:
        weight = stored_weight(node) if node.is_own(*BLOCKS) else None
        if weight is not None and weight.size >= SMALL and 1 - np.count_nonzero(weight) / weight.size >= ZEROS:
            matrix = outputs_first(node, weight)
            found[node.name] = tuple(block for block, most in BLOCKS[node.op].items() if density(matrix, block) <= most)
    return found


def store(graph: Graph, plan: Mapping[str, Block], reasons: Mapping[str, str], context: Context) -> None:
    """Store the layers of ``plan`` in ``graph`` by their blocks; ``reasons`` say why others are not."""
    run_pass(graph, sparsify.make(plan, reasons), context)
    run_pass(graph, dead_code.PASS, context)  # the dense weights, which a file would hold, too


def stored(graph: Graph, plan: Mapping[str, Block]) -> Graph:
    """A copy of ``graph`` with the layers of ``plan`` stored by their blocks."""
    made = clone(graph)
    store(made, plan, {}, Context())
    return made


def halved(graph: Graph) -> Graph:
    """A copy that holds every second block in each row of what ``graph`` stores by blocks: to time, and for no other use."""
    made = clone(graph)
    for node in made.nodes:
        if node.is_own(*DENSE.values()):
            storage = STORAGE[node.op]
            data, indices, indptr = (node.constant(i) for i in (storage.data, storage.indices, storage.indptr))
            assert data is not None and indices is not None and indptr is not None
            sizes = np.diff(indptr)
            kept = (np.arange(len(indices)) - np.repeat(indptr[:-1], sizes)) % 2 == 0
            starts = np.concatenate([[0], np.cumsum((sizes + 1) // 2)]).astype(np.int32)
            for index, array in ((storage.data, data[kept]), (storage.indices, indices[kept]), (storage.indptr, starts)):
                node.set_input(index, made.constant("halved", array))
    return made
