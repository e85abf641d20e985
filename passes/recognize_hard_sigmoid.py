"""Clip(x + a, 0, c) / c -> HardSigmoid.

    min(max(x + a, 0), c) / c   =   min(max(x / c + a / c, 0), 1)   ->   HardSigmoid(x){alpha=1/c, beta=a/c}

Not when an inner result has other readers or the bounds differ.
"""

from edgeopt.ir import Graph, Node, Value
from edgeopt.ir.match import constant_operand, is_float, only_feeds, same_type, scalar
from edgeopt.ops.products import close
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    operands = constant_operand(node) if node.is_op("Mul", "Div") else None
    if operands is None or (node.op == "Div" and operands[1] == 0):
        return False
    factor, value = scalar(node, operands[1]), node.inputs[operands[0]]
    clip = value.producer if value is not None else None
    if clip is None or not clip.is_op("Clip") or not factor:
        return False
    low, high = scalar(clip, 1), scalar(clip, 2)
    if low != 0.0 or high is None or not close(1.0, high * factor if node.op == "Mul" else high / factor):
        return False
    shifted = _shifted(clip)
    if shifted is None or not only_feeds(clip, node) or not is_float(node.output) or not same_type(shifted[0], node.output):
        return context.decline(node, "an inner result has other readers, or no constant is added before the Clip")
    attributes = {"alpha": 1.0 / high, "beta": shifted[1] / high}
    made = graph.make("HardSigmoid", [shifted[0]], [node.output.type], node, name=node.name, attributes=attributes)
    graph.replace(node.output, made.output)
    graph.erase(node)
    return True


def _shifted(clip: Node) -> tuple[Value, float] | None:
    """(x, a) when the Clip alone reads x + a."""
    value = clip.input(0)
    add = value.producer if value is not None else None
    operands = constant_operand(add) if add is not None and add.is_op("Add") and only_feeds(add, clip) else None
    if add is None or operands is None:
        return None
    x, number = add.inputs[operands[0]], scalar(add, operands[1])
    return None if x is None or number is None else (x, number)


PASS = Pass("recognize_hard_sigmoid", rewrite, roots=("Mul", "Div"))
