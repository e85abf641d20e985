"""What is asked of a graph and cannot be, whatever a search finds: layers that are not there, techniques without an object."""

from __future__ import annotations

from collections.abc import Iterable

from edgeopt.forms.registry import techniques
from edgeopt.frontend.notes import add_note
from edgeopt.ir import Graph
from edgeopt.search.pins import Pins
from edgeopt.search.recipe import Recipe


def check_names(graph: Graph, pins: Pins, recipe: Recipe | None) -> None:
    """Raise EdgeoptError for layers that are asked about and not there, and say what a ``recipe`` has to no end."""
    pins.check(graph)
    for line in [] if recipe is None else recipe.idle(graph):
        add_note(graph, line)


def obstacles(names: Iterable[str], graph: Graph, level: int) -> dict[str, str]:
    """Why each technique can change nothing in the graph, or ""; at -O0 its operators are those of the file, and no layers."""
    found = {name: techniques()[name].obstacle(graph) for name in names}
    if level:
        return found
    return {name: reason and "-O0 leaves operators as they are in the file; use -O1 or more" for name, reason in found.items()}
