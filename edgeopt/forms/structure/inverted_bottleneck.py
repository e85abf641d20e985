"""Inverted bottlenecks (Sandler et al., MobileNetV2, 2018) with fewer expanded channels.

    h = act(Conv1x1(x)),  d = act(Depthwise(h)),  y = Conv1x1(d) [+ x]   ->   the same with narrower h and d

The module is known by its projecting layer, which is fitted again.
"""

from __future__ import annotations

from edgeopt.forms.structure.narrow import Module, Narrowing
from edgeopt.ir import Node
from edgeopt.ir.match import sole_user
from edgeopt.ops.layer import is_linear, weight


def match(node: Node) -> Module | None:
    """The module that ``node`` projects for."""
    depthwise = _before(node) if _pointwise(node) else None
    expand = _before(depthwise) if depthwise is not None else None
    if depthwise is None or expand is None or not is_linear(depthwise) or not _pointwise(expand):
        return None
    channels = len(weight(depthwise))
    if depthwise.integer("group", 1) != channels or weight(depthwise).shape[1] != 1 or channels != len(weight(expand)):
        return None
    return Module((expand, depthwise), (node,))


def _before(node: Node) -> Node | None:
    """The convolution whose result ``node`` alone reads, and adds nothing to."""
    value = node.input(0)
    found = value.producer if value is not None else None
    if found is None or not found.is_own("FusedConv") or found.input(3) is not None or sole_user(value) is not node:
        return None
    return found


def _pointwise(node: Node) -> bool:
    return node.is_own("FusedConv") and is_linear(node) and node.integer("group", 1) == 1 and set(weight(node).shape[2:]) == {1}


INVERTED_BOTTLENECK = Narrowing(
    name="inverted_bottleneck",
    kind="expand",
    about="inverted bottlenecks with fewer expanded channels, their projecting layer fitted again",
    lacks="inverted bottleneck",
    match=match,
)
