"""A product with a constant weight that is partly zero keeps the blocks that are not, where a plan says that it pays.

    FusedConv(x, W, b, r)   ->   SparseConv(x, data, b, r, indices, indptr)          the same for FusedGemm -> SparseGemm
    QuantConv(x, W, ...)    ->   SparseQuantConv(x, data, ..., indices, indptr)      and QuantGemm -> SparseQuantGemm

A block of some outputs by some inputs of one tap is left out when all of it is zero; codes are centred first, so that zero means
zero. Bias, residual, activation and grids stay where they are. Sums leave out what adds nothing, in another order; a zero
weight no longer makes NaN of an infinite input.
Not for layers the plan does not name; those that it gives a reason for are declined with it.
"""

from collections.abc import Mapping

from edgeopt.ir import OWN_DOMAIN, Graph, Node
from edgeopt.ir.block_rows import Block, encode
from edgeopt.ops.sparse import DENSE, OLDEST_OPSET, STORAGE, outputs_first, stored_weight
from edgeopt.rewrite import Context, Pass


def make(plan: Mapping[str, Block], reasons: Mapping[str, str] | None = None) -> Pass:
    """The pass that stores the layers of ``plan``, by name, in blocks; ``reasons`` say why others stay as they are."""
    why = reasons or {}

    def rewrite(graph: Graph, node: Node, context: Context) -> bool:
        if node.name in why:
            return context.decline(node, why[node.name])
        if node.name not in plan or not node.is_own(*DENSE):
            return False
        if graph.root.opset < OLDEST_OPSET:
            return context.decline(node, f"opset {graph.root.opset} has no operators to fill a weight in with")
        weight = stored_weight(node)
        if weight is None:
            return context.decline(node, "its weight is computed, or its codes less their zero point do not fit 8 bits")
        op, block = DENSE[node.op], plan[node.name]
        storage, stored = STORAGE[op], encode(outputs_first(node, weight), block)
        inputs = [*node.inputs, *[None] * (storage.indptr + 1 - len(node.inputs))]
        parts = {storage.data: stored.data, storage.indices: stored.indices, storage.indptr: stored.indptr}
        for index, array in parts.items():
            inputs[index] = graph.constant(f"{node.name}.{'data' if index == storage.data else 'blocks'}", array)
        if storage.zero is not None:
            inputs[storage.zero] = None
        attributes = {**node.attributes, "weight_shape": list(weight.shape), "block": list(block)}
        made = graph.make(op, inputs, [node.output.type], node, OWN_DOMAIN, node.name, attributes)
        made.metadata.update(node.metadata)
        graph.replace(node.output, made.output)
        graph.erase(node)
        return True

    return Pass("sparsify", rewrite, roots=tuple(DENSE))
