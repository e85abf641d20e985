"""Fire modules (Iandola et al., SqueezeNet, 2016) with fewer squeezed channels.

    s = act(Conv1x1(x)),  y = Concat(act(Conv1x1(s)), act(Conv3x3(s)))   ->   the same with a narrower s

The module is known by its squeezing layer. Both expanding layers are fitted again.
"""

from __future__ import annotations

from edgeopt.forms.structure.narrow import Module, Narrowing
from edgeopt.ir import Node
from edgeopt.ir.match import graph_of
from edgeopt.ops.layer import is_linear, weight


def match(node: Node) -> Module | None:
    """The module that ``node`` squeezes for."""
    if not _dense(node) or any(k != 1 for k in weight(node).shape[2:]):
        return None
    readers, graph = node.output.users, graph_of(node)
    if len(readers) != 2 or graph.is_output(node.output) or not all(_dense(r) and r.input(3) is None for r in readers):
        return None
    ends = {id(user): user for reader in readers for user in reader.output.users}
    joined = len(ends) == 1 and next(iter(ends.values())).is_op("Concat")
    return Module((node,), tuple(readers)) if joined else None


def _dense(node: Node) -> bool:
    return node.is_own("FusedConv") and is_linear(node) and node.integer("group", 1) == 1


FIRE_MODULE = Narrowing(
    name="fire_module",
    kind="squeeze",
    about="fire modules with fewer squeezed channels, their expanding layers fitted again",
    lacks="fire module",
    match=match,
)
