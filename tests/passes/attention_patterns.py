"""Patterns of the passes around attention: each builder appends nodes that the pass of its name rewrites."""

from __future__ import annotations

from edgeopt.ir import OWN_DOMAIN, Value
from tests.passes.building import shape
from tests.strategies import Draft


def _scaled(draft: Draft, x: Value, here: bool) -> Value:
    if not here:
        return x
    op, number = draft.choice.pick([("Mul", 0.25), ("Div", 4.0)])
    return draft.op(op, x, draft.constant(number))


def fuse_attention(draft: Draft, x: Value) -> Value:
    images, heads, rows, _ = shape(x)
    q, k, v = x, draft.op("Tanh", x), draft.op("Neg", x)
    place = draft.choice.integer(0, 3)
    turned = _scaled(draft, draft.op("Transpose", k, perm=(0, 1, 3, 2)), place == 1)
    scores = _scaled(draft, draft.op("MatMul", _scaled(draft, q, place == 0), turned), place == 2)
    masks = [(), (rows, rows), (images, heads, rows, rows), (images, 1, 1, rows), (rows, 1)]
    if mask := draft.choice.pick(masks):
        added = draft.weight(*mask)
        scores = draft.op("Add", *draft.choice.pick([(scores, added), (added, scores)]))
    return draft.op("MatMul", draft.op("Softmax", scores, axis=-1), v)


def fold_transpose_into_attention(draft: Draft, x: Value) -> Value:
    names, spread = ("q_order", "k_order", "v_order"), (0, 2, 1, 3)
    turned = [draft.op("Transpose", draft.op(op, x), perm=spread) for op in ("Relu", "Tanh", "Neg")]
    chosen = draft.choice.integer(0, 3)
    inputs = [t if chosen in (i, 3) else draft.op("Abs", t) for i, t in enumerate(turned)]
    made = draft.graph.make(
        "FusedAttention", inputs, [turned[0].type], None, OWN_DOMAIN, "attention", {"scale": 0.5, names[1]: [0, 1, 2, 3]}
    )
    draft.made.append(made.output)
    return draft.op("Transpose", made.output, perm=spread)
