"""How exits come into a graph: a whole network, a part of one, or a network that ends in a head."""

from __future__ import annotations

from collections.abc import Sequence

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Graph
from edgeopt.passes.insert_exits import Exit, make, shortened
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context, run_pass

__all__ = ["Exit", "insert", "insert_into_part", "shortened"]


def head_names(one: Exit) -> tuple[str, ...]:
    """The names of the nodes of a head, before the ~."""
    return f"exit{one.number}", f"exit{one.number}.hidden"


def insert(graph: Graph, exits: Sequence[Exit], context: Context) -> None:
    """Put ``exits`` into the whole network ``graph``, the one that they were fitted to. Raises EdgeoptError where that fails."""
    if run_pass(graph, make(exits), context) != len(exits) and not context.exhausted:
        raise _failure(graph, exits, context)


def insert_into_part(part: Graph, exits: Sequence[Exit], output: str, level: int) -> None:
    """Put those of ``exits`` into ``part`` that lie behind values it computes, and optimise it.

    A part that does not compute the network's ``output`` gives it all the same, for what leaves. Raises EdgeoptError where an
    exit cannot be put in.
    """
    made = {out.name for node in part.nodes for out in node.outputs}
    own, context = [one for one in exits if one.value in made], Context(level=level)
    if not own:
        return
    onward = "" if any(end.name == output for end in part.outputs) else output
    if run_pass(part, make(own, onward), context) != len(own):
        raise _failure(part, own, context)
    optimize(part, level, context)


def _failure(graph: Graph, exits: Sequence[Exit], context: Context) -> EdgeoptError:
    reason = context.declined[-1][2] if context.declined else "its value is not there"
    return EdgeoptError(f"an exit behind '{exits[0].value}' cannot be compiled into '{graph.name}': {reason}")
