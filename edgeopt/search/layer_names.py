"""Layers by the names that users see: before the ~, behind which a rewrite puts a number."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Graph
from edgeopt.search.timing import layer_name

LISTED = 12


def layer_names(graph: Graph) -> list[str]:
    """Each name once, in the order of the graph."""
    return list(dict.fromkeys(layer_name(node) for node in graph.nodes))


def fits(pattern: str, layer: str) -> bool:
    """Whether a pattern is for a layer, by its name as it is shown, or in the graph where the pattern has a ~ as names there.

    The number behind it is nobody's: "*1*" would be for a layer 'fc2~13', too.
    """
    return fnmatchcase(layer_name(layer), pattern) or ("~" in pattern and fnmatchcase(layer, pattern))


def require_layer(name: str, known: Sequence[str], where: str = "") -> None:
    """Raise EdgeoptError, which begins with ``where``, for a name that is none of ``known``."""
    if name not in known:
        raise EdgeoptError(
            f"{where}there is no layer '{name}'; {listed(known, name)} ('edgeopt why MODEL' lists those that matter)"
        )


def listed(known: Sequence[str], near: str = "") -> str:
    """Some of the names that there are, those close to ``near`` where there are any."""
    shown = ", ".join(f"'{name}'" for name in get_close_matches(near, known, 3) or known[:LISTED])
    return f"there are {shown}"
