"""What forms lose, as far as there is time to find out: with little time a search has fewer forms to choose from."""

from __future__ import annotations

from collections.abc import Collection

from edgeopt.forms.form import Choice, named
from edgeopt.frontend.notes import add_note
from edgeopt.progress import each
from edgeopt.search.candidates import form_errors, summed
from edgeopt.search.remembered import Remembered, spelled
from edgeopt.search.space import Space

AXES = ("values", "storage", "mask", "structure")  # those whose forms are judged first come first


def errors_in_time(space: Space, known: Remembered) -> dict[Choice, dict[str, float]]:
    """What each choice of each layer alone does to the output.

    Forms that there is no time to judge leave the space, unless layers must have some that were asked for.
    """
    single: dict[Choice, dict[str, float]] = {}
    for choice in each(_most_needed(space)):
        found = known.recall("errors", spelled(choice))
        if found is None and single and space.goal.late and not space.pinned:
            continue
        if found is None:
            found = form_errors(space, choice)
            known.keep(found, "errors", spelled(choice))
        single[choice] = found
    _leave_out(space, single)
    return summed(space, space.uniform(), single)


def _most_needed(space: Space) -> list[Choice]:
    """The choices of one form, of each axis the mildest first."""
    order = {session.technique.name: AXES.index(session.technique.axis) for session in space.sessions}
    mildest = [form for choice in reversed(space.uniform()) if len(choice) == 1 for form in choice]
    return [frozenset([form]) for form in sorted(mildest, key=lambda form: order[form.technique])]


def _leave_out(space: Space, known: Collection[Choice]) -> None:
    """Take all forms from layers that are not among the ``known`` choices, and note which."""
    missing = [choice for choice in space.uniform() if len(choice) == 1 and choice not in known]
    if missing:
        for layer in space.layers:
            space.rank(layer, [c for c in space.choices(layer) if c in known])
        add_note(space.graph, f"there was no time to judge {', '.join(map(named, missing))}")
