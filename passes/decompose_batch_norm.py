"""BatchNormalization (inference) -> Mul and Add per channel.

    y = (x - mean) / sqrt(var + eps) * gamma + beta   ->   y = x * s + t   with s = gamma / sqrt(var + eps), t = beta - mean * s

A neighbouring convolution or matrix product takes both in later (see fold_scale_after, fold_shift_after, fold_scale_before,
fold_shift_before). s and t are computed in float64 and rounded once.
Not in training mode, with computed statistics, in half precision, or where s or t is not finite.
"""

import numpy as np

from edgeopt.ir import Array, Graph, Node
from edgeopt.ir.match import dtype_of, rank_of
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_op("BatchNormalization"):
        return False
    if node.integer("training_mode", 0) or any(o.uses or graph.is_output(o) for o in node.outputs[1:]):
        return context.decline(node, "it is in training mode")
    dtype, rank = dtype_of(node.input(0)), rank_of(node.input(0))
    if dtype not in ("float32", "float64") or rank is None or rank < 2:
        return context.decline(node, f"its input is {dtype or 'of unknown type'} of rank {rank}")
    statistics = [node.constant(i) for i in range(1, 5)]
    gamma, beta, mean, variance = (None if a is None else a.astype(np.float64) for a in statistics)
    if gamma is None or beta is None or mean is None or variance is None:
        return context.decline(node, "its statistics are computed at run time")
    with np.errstate(all="ignore"):
        scale = gamma / np.sqrt(variance + node.real("epsilon", 1e-5))
        shift = beta - mean * scale
    if not (np.isfinite(scale).all() and np.isfinite(shift).all()):
        return context.decline(node, "its scale or shift is not finite")
    _emit(graph, node, [a.astype(dtype).reshape(-1, *[1] * (rank - 2)) for a in (scale, shift)])
    return True


def _emit(graph: Graph, node: Node, factors: list[Array]) -> None:
    scale, shift = (graph.constant(f"{node.name}.{k}", a) for k, a in zip(("scale", "shift"), factors, strict=True))
    product = graph.make("Mul", [node.input(0), scale], [node.output.type], node, name=f"{node.name}.mul")
    total = graph.make("Add", [product.output, shift], [node.output.type], node, name=f"{node.name}.add")
    graph.replace(node.output, total.output)
    graph.erase(node)


PASS = Pass("decompose_batch_norm", rewrite, roots=("BatchNormalization",))
