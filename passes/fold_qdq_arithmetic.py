"""DequantizeLinear -> sum, products, average pooling, concatenation or softmax -> QuantizeLinear becomes one integer operator.

    Q(op(DQ(a), DQ(b)))   ->   QuantOp(a, b)            for Add, Mul, MatMul, AveragePool, GlobalAveragePool, Concat,
                                                        Softmax

The body of the operator is what it replaces. Not when an input is float or has a scale per channel, or when the result has other
readers than one QuantizeLinear; a concatenation of equal grids is left to the pass that moves rounding.
"""

from edgeopt.ir import OWN_DOMAIN, Graph, Node
from edgeopt.ir.match import dtype_of, sole_user
from edgeopt.ops.qdq import INPUT_CODES, Grid, dequantized, grid, is_per_tensor, quantizing_user, same_grid
from edgeopt.rewrite import Context, Pass

ROOTS = ("Add", "Mul", "AveragePool", "GlobalAveragePool", "Concat", "Softmax", "MatMul")


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_op(*ROOTS):
        return False
    sources = [s for s in (dequantized(v) for v in node.inputs) if s is not None]
    if not sources:
        return False
    if len(sources) < len(node.inputs):
        return context.decline(node, "one of its inputs is float, so it stays in float")
    if not all(is_per_tensor(s) and dtype_of(s.input(0)) in INPUT_CODES for s in sources):
        return context.decline(node, "an input is not 8 or 16 bits wide with one scale")
    after = sole_user(node.output)
    relu = after if after is not None and after.is_op("Relu") and node.is_op("Add", "Mul") else None
    end = quantizing_user((relu or node).output)
    if end is None:
        return context.decline(node, "its result is read as float")
    if node.is_op("Concat") and all(same_grid(s, end) for s in sources):
        return False
    tensors: Grid = [v for s in sources for v in [s.input(0), *grid(s)]]
    inputs = [*grid(end), *tensors] if node.is_op("Concat") else [*tensors, *grid(end)]
    attributes = {**node.attributes, **({"activation": "Relu"} if relu is not None else {})}
    made = graph.make(f"Quant{node.op}", inputs, [end.output.type], end, OWN_DOMAIN, node.name, attributes)
    graph.replace(end.output, made.output)
    for old in [end, relu, node]:
        if old is not None:
            graph.erase(old)
    return True


PASS = Pass("fold_qdq_arithmetic", rewrite, roots=ROOTS)
