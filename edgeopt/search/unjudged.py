"""Layers of which nothing would tell what far forms do to them: those that lead only to outputs that a network is not judged by,

and all of them where samples are so few that one weighs more than the budget.
"""

from __future__ import annotations

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.intervals import weighs_too_much
from edgeopt.evaluate.judge import judged
from edgeopt.evaluate.observe import reads
from edgeopt.forms.form import Choice
from edgeopt.frontend.notes import add_note
from edgeopt.ir import Graph
from edgeopt.search.space import Space
from edgeopt.search.timing import layer_name

GENTLE = ("values", "storage")  # axes whose last form is a mild one


def keep_gentle(space: Space, data: DataSet) -> None:
    """Leave such layers the mildest form of the ``GENTLE`` axes, or that which was asked for; which layers is noted."""
    few = weighs_too_much(data.samples, space.goal.max_drop)
    leading = set[str]() if few else _leading(space.graph, judged(space.graph, data))
    apart = [layer for layer in space.layers if layer not in leading and layer not in space.pinned]
    axes = {session.technique.name: session.technique.axis for session in space.sessions}
    for layer in apart:
        single = {axes[form.technique]: choice for choice in space.choices(layer) if len(choice) == 1 for form in choice}
        kept: list[Choice] = [single[axis] for axis in GENTLE if axis in single][:1]
        space.rank(layer, kept)
    if few:
        add_note(space.graph, f"layers have mild forms at most: the {data.samples} samples that choose tell little of others")
    elif apart:
        name, first = judged(space.graph, data), ", ".join(layer_name(layer) for layer in apart[:5])
        more = f" and {len(apart) - 5} others" if len(apart) > 5 else ""
        add_note(space.graph, f"only output '{name}' is judged: {first}{more}, which do not lead there, have mild forms at most")


def _leading(graph: Graph, output: str) -> set[str]:
    """The names of nodes that the value ``output`` depends on."""
    needed, found = {output}, set[str]()
    for node in reversed(graph.nodes):
        if needed & {value.name for value in node.outputs}:
            found.add(node.name)
            needed |= set(reads(node))
    return found
