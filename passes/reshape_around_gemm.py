"""Reshape to a matrix and back around a matrix product -> nothing.

    Reshape(FusedGemm(Reshape(x [..., K], [M, K]), W), [..., N])   ->   FusedGemm(x, W)

FusedGemm takes any number of leading axes. Not when the leading axes do not come back, when the inner results have other
readers, or with a residual.
"""

from edgeopt.ir import OWN_DOMAIN, Graph, Node
from edgeopt.ir.match import readers, shape_of, sole_user
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    value = node.input(0)
    gemm = value.producer if value is not None else None
    source = gemm.inputs[0] if gemm is not None and gemm.is_own("FusedGemm") else None
    reshape = source.producer if source is not None else None
    if not node.is_op("Reshape") or value is None or gemm is None or reshape is None or not reshape.is_op("Reshape"):
        return False
    before, matrix, after = shape_of(reshape.input(0)), shape_of(source), shape_of(node.output)
    if before is None or matrix is None or after is None or len(before) < 2:
        return context.decline(node, "the shapes around it are unknown or too small")
    if before[-1] != matrix[-1] or after[:-1] != before[:-1] or gemm.input(3) is not None:
        return context.decline(node, "the leading axes do not come back, or there is a residual")
    if sole_user(value) is not node:
        return context.decline(node, readers(value))
    inputs = [reshape.input(0), *gemm.inputs[1:]]
    made = graph.make("FusedGemm", inputs, [node.output.type], node, OWN_DOMAIN, gemm.name, gemm.attributes)
    graph.replace(node.output, made.output)
    graph.erase(node)
    graph.erase(gemm)
    return True


PASS = Pass("reshape_around_gemm", rewrite, roots=("Reshape",))
