"""One Decision from two: what changed the structure of layers, and what then changed the layers that they became."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edgeopt.forms.form import FLOAT
from edgeopt.search.result import Decision
from edgeopt.search.timing import layer_name


def together(first: Decision | None, second: Decision | None) -> Decision | None:
    """What both decided; the layers of ``second`` are those that ``first`` left, and the parts of the others.

    A layer is known by what comes before the ~ in its name, which its parts have from it.
    """
    if first is None or second is None:
        return second or first
    parts = _by_layer(second.forms)
    forms = {name: _joined(first.forms, name, found) for name, found in parts.items()}
    given_back, slow = ({layer_name(n): None for n in (*a, *b)} for a, b in _pairs(first, second))
    return replace(
        second,
        title=" and ".join(made.title for made in (first, second) if made.changed),
        scheme=f"{first.scheme} and {second.scheme}",
        forms=forms,
        given_back=tuple(given_back),
        slow=tuple(slow),
        source=first.source,
        weights=first.weights,
        before=first.before if first.samples else second.before,
        costs={FLOAT: first.costs[FLOAT], "result": second.costs["result"]},
        refused={layer_name(name): why for name, why in second.refused.items()},
        errors={layer_name(name): error for made in (second, first) for name, error in made.errors.items()},
    )


def _pairs(first: Decision, second: Decision) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    return (first.given_back, second.given_back), (first.slow, second.slow)


def _by_layer(forms: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, form in forms.items():
        found.setdefault(layer_name(name), []).append(form)
    return found


def _joined(first: Mapping[str, str], layer: str, parts: list[str]) -> str:
    """The name of the structure, then those of what its parts became, once each."""
    structure = [form for name, form in first.items() if layer_name(name) == layer]
    return " + ".join(dict.fromkeys(form for form in [*structure, *parts] if form != FLOAT)) or FLOAT
