"""Which nodes may run on the samples of many calls at once.

The values of many calls lie one behind the other along the leading axis: [2, 8] of five calls is [10, 8], and a scalar is [5]. A
node keeps rows apart when running it on that gives what running it call by call would. What is not known to does not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from edgeopt.ir import Graph, Node, Value
from edgeopt.ir.match import integers, shape_of
from edgeopt.ops import OWN_OPS

RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")


def is_fixed(value: Value) -> bool:
    """True for a constant and what is computed from constants alone, as a dequantised weight: all calls share one."""
    node = value.producer
    return value.is_constant or (node is not None and node.graph is not None and value in _fixed(node.graph, node.graph.version))


@lru_cache(maxsize=4)
def _fixed(graph: Graph, version: int) -> frozenset[Value]:
    found = set[Value]()
    for node in graph.nodes:
        given = all(v is None or v.is_constant or v in found for v in node.inputs)
        if given and not node.subgraphs and not node.op.startswith("Random"):
            found.update(node.outputs)
    return frozenset(found)


def keeps_apart(node: Node) -> bool:
    """True when ``node`` gives the same on stacked calls as on each call alone, or is the same for all."""
    if is_fixed(node.output):
        return True
    rule = RULES.get(node.op) if not node.domain else _own if node.is_own(*OWN_OPS) else None
    shapes = [shape_of(v) for v in [*node.inputs, *node.outputs] if v is not None and v.name and not is_fixed(v)]
    if rule is None or any(not s for s in shapes) or len({o[0] for o in shapes if o}) != 1:
        return False
    return rule(node)


def _along(value: Value | None, node: Node) -> bool:
    """True when broadcasting never lines the leading axis of ``node``'s output up with another one of ``value``."""
    shape, whole = shape_of(value), shape_of(node.output)
    if value is None or shape is None or whole is None:
        return value is None
    if is_fixed(value):
        return len(shape) < len(whole) or (len(shape) == len(whole) and shape[0] == 1)
    return len(shape) == len(whole)


def _elementwise(node: Node) -> bool:
    return all(_along(v, node) for v in node.inputs)


def _grid(node: Node) -> bool:
    """A scale for each index of the leading axis would have to be repeated."""
    scale = shape_of(node.input(1))
    return scale is not None and _first(node) and (not scale or node.integer("axis", 1) != 0)


def _first(node: Node) -> bool:
    """Only the first input may be computed."""
    return all(v is None or is_fixed(v) for v in node.inputs[1:])


def _own(node: Node) -> bool:
    """What is computed, but no weight, has the rank of the output, and no constant holds something for each of its rows."""
    whole, second = shape_of(node.output) or (), node.input(1)
    given = OWN_OPS[node.op].samplewise and len(whole) > 1 and (second is None or is_fixed(second))
    return given and all(_own_operand(v, whole) for v in node.inputs)


def _own_operand(value: Value | None, whole: tuple[int, ...]) -> bool:
    shape = shape_of(value)
    if value is None or shape is None or len(shape) != len(whole):
        return value is None or (is_fixed(value) and shape is not None)
    return not is_fixed(value) or shape[0] == 1 or any(a not in (1, b) for a, b in zip(shape, whole, strict=True))


def _gemm(node: Node) -> bool:
    return not node.integer("transA", 0) and _first(node) and _along(node.input(2), node)


def _product(node: Node) -> bool:
    left, right = shape_of(node.input(0)), shape_of(node.input(1))
    if not left or not right:
        return False
    weight = node.input(1)
    if weight is not None and is_fixed(weight) and len(right) <= 2:
        return len(left) >= 2
    return max(len(left), len(right)) >= 3 and _elementwise(node)


def _axis(default: int) -> Callable[[Node], bool]:
    def rule(node: Node) -> bool:
        rank = len(shape_of(node.input(0)) or ())
        return rank > 1 and node.integer("axis", default) % rank != 0 and all(v is None or is_fixed(v) for v in node.inputs[1:])

    return rule


def _concat(node: Node) -> bool:
    rank = len(shape_of(node.output) or ())
    return rank > 1 and node.integer("axis", 0) % rank != 0 and not any(v is None or is_fixed(v) for v in node.inputs)


def _transpose(node: Node) -> bool:
    return node.integers("perm", (1,))[0] == 0


def _slice(node: Node) -> bool:
    axes, rank = integers(node, 3), len(shape_of(node.input(0)) or ())
    return axes is not None and all(a % rank for a in axes) and all(v is None or is_fixed(v) for v in node.inputs[1:])


ELEMENTWISE = (
    "Abs", "Add", "Cast", "Ceil", "Clip", "Div", "Dropout", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish",
    "Identity", "LeakyRelu", "Log", "Mish", "Mul", "Neg", "PRelu", "Pow", "Reciprocal", "Relu", "Selu", "Sigmoid", "Softplus",
    "Sqrt", "Sub", "Tanh",
)  # fmt: skip
MAPS = (
    "AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "GlobalAveragePool", "GlobalMaxPool", "InstanceNormalization",
    "LRN", "MaxPool",
)  # fmt: skip
RULES: dict[str, Callable[[Node], bool]] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    **dict.fromkeys(MAPS, _first),
    **dict.fromkeys(("DequantizeLinear", "QuantizeLinear"), _grid),
    "Concat": _concat,
    "Gemm": _gemm,
    "LayerNormalization": _axis(-1),
    "MatMul": _product,
    "Slice": _slice,
    "Softmax": _axis(-1),
    "Transpose": _transpose,
}
