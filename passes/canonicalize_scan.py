"""Scan along any axis -> Scan along the first.

    Scan {scan_input_axes, scan_output_axes}   ->   Transpose of the sequences, Scan, Transpose of what it stacks

Exact: a transpose moves elements. Not where the rank of a sequence is not known.
"""

from edgeopt.ir import Graph, Node, TensorType, Value
from edgeopt.ir.match import rank_of
from edgeopt.rewrite import Context, Pass

INPUTS, OUTPUTS = "scan_input_axes", "scan_output_axes"


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    first = len(node.inputs) - node.integer("num_scan_inputs", 1)
    stacked = node.outputs[first:]
    inward = _axes(node.integers(INPUTS), node.inputs[first:])
    outward = _axes(node.integers(OUTPUTS), stacked)
    if inward is None or outward is None:
        return context.decline(node, "the rank of a sequence is not known")
    if not any(inward) and not any(outward):
        return False
    for name in (INPUTS, OUTPUTS):
        node.attributes.pop(name, None)
    for index, axis in enumerate(inward, first):
        value = node.input(index)
        if axis and value is not None:
            node.set_input(index, _transposed(graph, value, _to_front(value, axis), node))
    for value, axis in zip(stacked, outward, strict=True):
        if axis:
            _put_back(graph, node, value, axis)
    graph.touch()
    return True


def _axes(given: tuple[int, ...], values: list[Value] | list[Value | None]) -> list[int] | None:
    """The axis of each value, counted from the front; None when a rank that matters is not known."""
    made = []
    for axis, value in zip(given or (0,) * len(values), values, strict=True):
        rank = rank_of(value) if axis else 1
        if rank is None:
            return None
        made.append(axis % rank)
    return made


def _to_front(value: Value, axis: int) -> tuple[int, ...]:
    rank = rank_of(value)
    assert rank is not None
    return (axis, *(i for i in range(rank) if i != axis))


def _transposed(graph: Graph, value: Value, perm: tuple[int, ...], before: Node) -> Value:
    return graph.make("Transpose", [value], [_permuted(value.type, perm)], before, attributes={"perm": perm}).output


def _permuted(type_: TensorType | None, perm: tuple[int, ...]) -> TensorType | None:
    return None if type_ is None or type_.shape is None else TensorType(type_.dtype, tuple(type_.shape[p] for p in perm))


def _put_back(graph: Graph, node: Node, value: Value, axis: int) -> None:
    """What the Scan stacks along its first axis is transposed for those that read it."""
    perm = _to_front(value, axis)
    inverse = tuple(perm.index(i) for i in range(len(perm)))
    stacked = Value(graph.fresh(value.name), _permuted(value.type, perm), producer=node)
    node.outputs[node.outputs.index(value)] = stacked
    following = graph.nodes[graph.nodes.index(node) + 1] if graph.nodes[-1] is not node else None
    graph.insert(Node("Transpose", [stacked], [value], {"perm": inverse}, name=graph.fresh("transpose")), following)


PASS = Pass("canonicalize_scan", rewrite, roots=("Scan",))
