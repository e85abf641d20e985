"""A module of convolutions -> the same with fewer hidden channels, for the modules that were solved.

    h = act(Conv(x, W) + b),  y = Conv(h, V)   ->   h' = act(Conv(x, W[kept]) + b[kept]),  y = Conv(h', V')

Approximate: V' makes up for the channels that are gone. A depthwise convolution on the way keeps the same channels.
"""

from collections.abc import Mapping

from edgeopt.ir import Array, Graph, Node, TensorType
from edgeopt.ops.layer import set_weights, weight
from edgeopt.ops.narrowed import Narrowed
from edgeopt.rewrite import Context, Pass


def make(solution: Mapping[str, Narrowed]) -> Pass:
    """The pass for what was solved, by the layer that a module is known by."""

    def rewrite(graph: Graph, node: Node, context: Context) -> bool:
        made = solution.get(node.name)
        if made is None or not node.is_own("FusedConv"):
            return False
        layers = {n.name: n for n in graph.nodes}
        if len(weight(layers[made.makers[0]])) == len(made.kept):
            return False
        for name in made.makers:
            _keep(layers[name], made.kept)
        for name, (new, bias) in made.readers.items():
            set_weights(layers[name], new, bias)
        return True

    return Pass("narrow", rewrite, contract="approximate")


def _keep(node: Node, kept: Array) -> None:
    """Compute the channels ``kept`` only."""
    bias = node.constant(2)
    set_weights(node, weight(node)[kept], None if bias is None else bias[kept])
    if node.integer("group", 1) > 1:
        node.attributes["group"] = len(kept)
    kind = node.output.type
    assert kind is not None and kind.shape is not None
    node.output.type = TensorType(kind.dtype, (kind.shape[0], len(kept), *kind.shape[2:]))
