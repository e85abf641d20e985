"""Product with rounded inputs -> product whose weights are codewords, for the layers that were solved.

    Fused(DequantizeLinear(x), W, b, DequantizeLinear(r))   ->   Lookup(x, codes, codebooks, scale, b, r)

Approximate: W becomes codewords times scales, and inner products with them come from tables of bytes.
Not when the input or the residual of a layer is not rounded to bytes.
"""

from collections.abc import Mapping

from edgeopt.ir import OWN_DOMAIN, Graph, Node, Value
from edgeopt.ir.match import dtype_of
from edgeopt.ops.codebooks import LookupWeight
from edgeopt.ops.fused import CONV_ATTRIBUTES
from edgeopt.ops.qdq import dequantized, grid, is_per_tensor
from edgeopt.rewrite import Context, Pass

KEPT = (*CONV_ATTRIBUTES, "activation", "alpha", "beta")
ERROR = "edgeopt.error"


def make(weights: Mapping[str, LookupWeight], errors: Mapping[str, float]) -> Pass:
    """The pass for codes and codebooks by layer; ``errors`` of layers are noted at them."""

    def rewrite(graph: Graph, node: Node, context: Context) -> bool:
        if node.name not in weights or not node.is_own("FusedConv", "FusedGemm"):
            return False
        x, residual = dequantized(node.input(0)), dequantized(node.input(3))
        if x is None or not _bytes(x) or (node.input(3) is not None and (residual is None or not _bytes(residual))):
            return context.decline(node, "its input or its residual is not rounded to bytes of one scale")
        _replace(graph, node, x, residual, weights[node.name], errors.get(node.name))
        return True

    return Pass("product_quantize", rewrite, contract="approximate")


def _bytes(rounding: Node) -> bool:
    return is_per_tensor(rounding) and dtype_of(rounding.input(0)) in ("uint8", "int8")


def _replace(graph: Graph, node: Node, x: Node, residual: Node | None, made: LookupWeight, error: float | None) -> None:
    kind = "uint4" if made.books.shape[2] <= 16 else "uint8"
    inputs: list[Value | None] = [x.input(0), *grid(x), graph.constant(f"{node.name}.codes", made.codes, kind)]
    inputs += [graph.constant(f"{node.name}.codebooks", made.books), graph.constant(f"{node.name}.scale", made.scale)]
    inputs.append(None if made.bias is None else graph.constant(f"{node.name}.bias", made.bias))
    inputs += [] if residual is None else [None, None, residual.input(0), *grid(residual)]
    attributes = {k: v for k, v in node.attributes.items() if k in KEPT} | {"shift": made.shift}
    op = "LookupGemm" if made.dense else "LookupConv"
    new = graph.make(op, inputs, [node.output.type], node, OWN_DOMAIN, node.name, attributes)
    new.metadata.update(node.metadata)
    if error is not None:
        new.metadata[ERROR] = f"{error:.4g}"
    graph.replace(node.output, new.output)
    graph.erase(node)
