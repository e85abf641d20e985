"""Where a search starts: with the first forms of all layers, except where the target does not get faster by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edgeopt.evaluate.parallel import side_by_side
from edgeopt.forms.form import EXACT, FLOAT, Choice, Forms, named
from edgeopt.search.price import price
from edgeopt.search.space import Space, merged
from edgeopt.search.sparsity import stored_profiles
from edgeopt.search.stored import stored_bytes
from edgeopt.search.timing import Profile


@dataclass(frozen=True)
class Start:
    """The first choice of every layer, those left exact because they would be ``slow``, and the costs that decided so."""

    forms: dict[str, Choice]
    slow: tuple[str, ...] = ()
    rejected: dict[str, Profile] = field(default_factory=dict)


def start(space: Space) -> Start:
    """All layers in their first forms, for size; else those that get cheaper, or none when the network would not.

    Another structure is taken only by layers that gain by it in what is to be small: they start in the form that gains most.
    """
    if space.restructures:
        without = keep_what_pays(space)
        return Start(space.first(), without)
    first = space.first()
    if space.goal.objective == "size":
        return Start(first)
    costs = rough_costs(space, {"all": first})
    goal = space.goal.objective
    slow = {n for n in space.layers if price(costs["all"].layer(n), goal) > price(costs[FLOAT].layer(n), goal)} - space.pinned
    options = {"all": first}
    if slow and len(slow) < len(space.layers):
        options["part"] = {**first, **dict.fromkeys(slow, EXACT)}
        costs = rough_costs(space, options)
    best = min(options, key=lambda name: price(costs[name], goal))
    if price(costs[best], goal) <= price(costs[FLOAT], goal):
        return Start(options[best], tuple(slow if best == "part" else ()))
    if space.pinned:
        forms = {n: choice if n in space.pinned else EXACT for n, choice in first.items()}
        return Start(forms, tuple(n for n in space.layers if n not in space.pinned))
    return Start(dict.fromkeys(space.layers, EXACT), tuple(space.layers), rejection(costs[FLOAT], costs["all"]))


def keep_what_pays(space: Space) -> tuple[str, ...]:
    """Take from each layer the forms that do not make it cheaper, and rank the others. Returns the layers without any left."""
    uniform = space.uniform()
    costs = choice_costs(space, uniform)
    for layer in space.layers:
        paying = [c for c in uniform if c in space.choices(layer) and costs[c][layer] < costs[EXACT][layer]]
        space.rank(layer, sorted(paying, key=lambda choice: costs[choice][layer]))
    return tuple(n for n in space.layers if space.choices(n) == [EXACT])


def choice_costs(space: Space, choices: Sequence[Choice]) -> dict[Choice, dict[str, float]]:
    """For each of ``choices`` what every layer costs in it, as the objective counts; known from the first time on.

    Bytes of layers that stay as they are in number are those of rough solutions, which have the right number of zeros and values.
    """
    if all(choice in space.costs for choice in choices):
        return space.costs
    if space.goal.objective == "size" and not space.restructures:
        space.costs = {choice: choice_bytes(space, choice) for choice in choices}
        return space.costs
    known = rough_costs(space, {named(c): space.all_in(c) for c in choices if c})
    space.costs = {c: {n: _price(space, n, known[named(c) if c else FLOAT]) for n in space.layers} for c in choices}
    return space.costs


def _price(space: Space, layer: str, profile: Profile) -> float:
    """The price of a layer of the search, which may stand for several, by their shares in its form."""
    costs = [(share, profile.layer(name)) for name, share in space.shares(layer).items()]
    return sum(share * price(cost, space.goal.objective) for share, cost in costs)


def choice_bytes(space: Space, choice: Choice) -> dict[str, float]:
    """The bytes that the weight of each layer that can have ``choice`` takes in it as it is stored."""
    made, nodes = merged(space.rough(space.all_in(choice))), {n.name: n for n in space.graph.nodes}
    layers = [name for name in space.layers if choice in space.choices(name)]
    return dict(zip(layers, map(float, side_by_side(lambda name: stored_bytes(nodes[name], made), layers)), strict=True))


def rough_costs(space: Space, options: Mapping[str, Forms], energy: bool | None = None) -> dict[str, Profile]:
    """The Profile of the exact graph and of each option, whose numbers matter little to its time: they are quickly made."""
    graphs = {name: space.carried_out(space.rough(forms)) for name, forms in options.items()}
    goal, energy = space.goal, space.goal.objective == "energy" if energy is None else energy
    return stored_profiles({FLOAT: space.graph, **graphs}, goal.target, goal.level, energy)


def rejection(before: Profile, after: Profile) -> dict[str, Profile]:
    """The costs of a network that stays exact because ``after`` costs more."""
    return {FLOAT: before, "result": before, "rejected": after}
