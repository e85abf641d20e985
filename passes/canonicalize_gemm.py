"""Gemm with a constant matrix -> FusedGemm.

    y = alpha * A @ op(B) + beta * C   ->   y = FusedGemm(A, W, b)   with W = alpha * op(B), b = beta * C as a vector [N]

op transposes when transB is set. C may be a constant vector or scalar; a C of the shape of y with beta = 1 becomes the
residual. Not when A is transposed, B is computed, C is a column, or for integers.
"""

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Array, Graph, Node, Value
from edgeopt.ir.match import channel_vector, is_float, same_type
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_op("Gemm"):
        return False
    matrix = node.constant(1)
    if matrix is None or not is_float(node.input(0)):
        return context.decline(node, "its second matrix is computed or not floating-point")
    if node.integer("transA", 0):
        return context.decline(node, "its first matrix is transposed")
    weight = _scaled(matrix.T if node.integer("transB", 0) else matrix, node.real("alpha", 1.0))
    bias, residual = _bias(node, weight.shape[1])
    if node.input(2) is not None and bias is None and residual is None:
        return context.decline(node, "its addend is neither a constant row nor a tensor of the result's shape")
    inputs = [node.input(0), graph.constant(f"{node.name}.weight", weight)]
    inputs.append(None if bias is None else graph.constant(f"{node.name}.bias", bias))
    inputs += [residual] if residual is not None else []
    fused = graph.make("FusedGemm", _trimmed(inputs), [node.output.type], node, OWN_DOMAIN, node.name)
    graph.replace(node.output, fused.output)
    graph.erase(node)
    return True


def _scaled(array: Array, factor: float) -> Array:
    return np.ascontiguousarray(array if factor == 1.0 else (array * np.float64(factor)).astype(array.dtype))


def _bias(node: Node, columns: int) -> tuple[Array | None, Value | None]:
    addend, beta = node.input(2), node.real("beta", 1.0)
    if addend is None:
        return None, None
    vector = channel_vector(addend.array, 2, 1, columns) if addend.is_constant else None
    if vector is not None:
        return _scaled(vector, beta), None
    return None, addend if beta == 1.0 and same_type(addend, node.output) else None


def _trimmed(inputs: list[Value | None]) -> list[Value | None]:
    while inputs and inputs[-1] is None:
        inputs.pop()
    return inputs


PASS = Pass("canonicalize_gemm", rewrite, roots=("Gemm",))
