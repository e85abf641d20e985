"""Slice of a Slice -> one Slice.

    Slice(Slice(x, r), s)   ->   Slice(x, r[s])        per axis, as ranges compose

Not when the first has other readers, when bounds or shape are unknown, or when an axis runs backwards.
"""

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import only_feeds, readers, shape_of
from edgeopt.ops.slices import slice_inputs, sliced_ranges
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    value = node.input(0)
    first = value.producer if value is not None else None
    if not node.is_op("Slice") or value is None or first is None or not first.is_op("Slice"):
        return False
    if not only_feeds(first, node):
        return context.decline(node, readers(value))
    outer, inner, shape = sliced_ranges(node), sliced_ranges(first), shape_of(first.input(0))
    if outer is None or inner is None or shape is None:
        return context.decline(node, "its bounds or the shape of its input are unknown")
    composed = [i[o.start : o.stop : o.step] if o.step > 0 else i[::-1] for i, o in zip(inner, outer, strict=True)]
    arrays = slice_inputs(composed, shape)
    if arrays is None or any(r.step < 0 for r in (*outer, *inner)):
        return context.decline(node, "an axis runs backwards")
    inputs = [first.input(0), *(graph.constant(f"{node.name}.slice", a) for a in arrays)]
    made = graph.make("Slice", inputs, [node.output.type], node, name=node.name)
    graph.replace(node.output, made.output)
    graph.erase(node)
    graph.erase(first)
    return True


PASS = Pass("merge_slices", rewrite, roots=("Slice",))
