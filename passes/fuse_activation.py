"""Activation after FusedConv, FusedGemm, DynamicConv or DynamicGemm -> its attribute ``activation``.

    y = act(Fused(x, W, b, r))   ->   y = Fused(x, W, b, r){activation=act}

for Relu, Clip with constant bounds, Sigmoid, Tanh, LeakyRelu, HardSwish, HardSigmoid, Silu and the Gelu of erf.
Not when the product has other readers or already has an activation, and not for half or double precision, for which the body's
constants would be of the wrong type.
"""

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Attribute, Graph, Node
from edgeopt.ir.match import dtype_of, readers, scalar, sole_user
from edgeopt.rewrite import Context, Pass

PRODUCTS = ("FusedConv", "FusedGemm", "DynamicConv", "DynamicGemm")
PLAIN = ("Relu", "Sigmoid", "Tanh", "HardSwish")
DEFAULTS = {"LeakyRelu": {"alpha": 0.01}, "HardSigmoid": {"alpha": 0.2, "beta": 0.5}}
ROOTS = (*PLAIN, *DEFAULTS, "Clip", "Gelu", "Silu", "Swish")


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    value = node.input(0)
    fused = value.producer if value is not None else None
    if value is None or fused is None or not fused.is_own(*PRODUCTS) or node.op not in ROOTS:
        return False
    if sole_user(value) is not node or fused.text("activation", ""):
        return context.decline(node, f"{readers(value)}, or its producer already has an activation")
    if dtype_of(value) != "float32":
        return context.decline(node, f"its element type is {dtype_of(value) or 'unknown'}")
    found = attributes_of(node)
    if found is None:
        return context.decline(node, "its bounds are computed at run time, its alpha is not 1, or it is approximate")
    made = graph.make(fused.op, fused.inputs, [node.output.type], node, OWN_DOMAIN, fused.name, {**fused.attributes, **found})
    graph.replace(node.output, made.output)
    graph.erase(node)
    graph.erase(fused)
    return True


def attributes_of(node: Node) -> dict[str, Attribute] | None:
    """``activation``, ``alpha`` and ``beta`` that mean the same as ``node``, or None."""
    if node.op == "Clip":
        return _clip(node)
    if node.op in ("Silu", "Swish"):
        return {"activation": "Silu"} if node.real("alpha", 1.0) == 1.0 else None
    if node.op == "Gelu":
        return {"activation": "Gelu"} if node.text("approximate", "none") == "none" else None
    numbers = {k: node.real(k, v) for k, v in DEFAULTS.get(node.op, {}).items()}
    return {"activation": node.op, **numbers}


def _clip(node: Node) -> dict[str, Attribute] | None:
    limits = np.finfo(np.float32)
    bounds = [scalar(node, 1), scalar(node, 2)]
    if any(node.input(i + 1) is not None and bounds[i] is None for i in (0, 1)):
        return None
    low, high = bounds
    if low == 0.0 and high is None:
        return {"activation": "Relu"}
    return {
        "activation": "Clip",
        "alpha": float(limits.min) if low is None else low,
        "beta": float(limits.max) if high is None else high,
    }


PASS = Pass("fuse_activation", rewrite, roots=ROOTS)
