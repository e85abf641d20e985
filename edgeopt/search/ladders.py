"""Which forms of each technique a search starts with, and which it may go back to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgeopt.forms.registry import default, restructuring, techniques, wanted
from edgeopt.search.goal import Objective
from edgeopt.search.recipe import Recipe

Keys = Mapping[str, Sequence[str]]  # technique -> forms: the first, and those to repair with
FAR = ("mask", "storage")  # axes whose first forms go too far for most layers


def names(forms: str | None, objective: Objective, recipe: Recipe | None, with_data: bool) -> dict[str, str]:
    """Technique -> key of the form it starts with, for what is named, or for what -O3 tries on its own.

    A technique that is named without a form goes to its mildest one where there is no data to verify it on.
    """
    if recipe is not None:
        return {name: keys[0 if with_data else -1] for name, keys in recipe.keys.items()}
    found = wanted(forms) if forms is not None else default(objective == "size" and with_data)
    words = [word.strip() for word in (forms or "").split(",")]
    mild = [] if with_data else [n for n, key in found.items() if techniques()[n].axis in FAR and key not in words]
    return {**found, **{name: _mildest(name, found[name]) for name in mild}}


def _mildest(name: str, key: str) -> str:
    return [key, *techniques()[name].finer(key)][-1]


def ladders(first: Mapping[str, str], recipe: Recipe | None, standard: bool) -> tuple[Keys, Keys]:
    """(forms to start with, better ones that are tried only if those leave layers exact) by technique.

    Forms of more bits may need a newer opset, so they wait; for a file of ``standard`` operators they are none. What needs no
    newer one is there from the start, and so are structures, of which one is as good as another to start with.
    """
    if recipe is not None:
        # what the recipe does not name is a form that single layers were asked to have
        return {name: recipe.keys.get(name, (key,)) for name, key in first.items()}, dict.fromkeys(first, ())
    finer = {name: list(techniques()[name].finer(key)) for name, key in first.items()}
    at_once = {name for name in first if techniques()[name].axis in FAR} | set(first if restructuring(first)[0] else ())
    later = {name: () if name in at_once or standard else tuple(finer[name]) for name in first}
    return {name: [key, *(finer[name] if name in at_once else ())] for name, key in first.items()}, later
