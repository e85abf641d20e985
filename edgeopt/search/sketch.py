"""A graph optimised exactly, and what it would become: rough solutions in the place of layers, for timing alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from edgeopt.errors import EdgeoptError
from edgeopt.forms.evidence import ChannelStatistics, batch_norm_statistics
from edgeopt.forms.form import Evidence, Session, Technique
from edgeopt.forms.registry import techniques, wanted
from edgeopt.frontend.notes import add_note
from edgeopt.ir import Graph
from edgeopt.ir.clone import clone
from edgeopt.lower.select import channels_at_once
from edgeopt.pipeline import PrintAfter, optimize
from edgeopt.rewrite import Context
from edgeopt.search.allowed import Budget
from edgeopt.search.goal import Goal, is_over
from edgeopt.search.ladders import Keys
from edgeopt.search.newer_opset import with_opset
from edgeopt.search.pins import Allowance
from edgeopt.search.price import price, shown
from edgeopt.search.result import Decision
from edgeopt.search.samples import samples
from edgeopt.search.space import Space
from edgeopt.search.sparsity import stored_profiles
from edgeopt.search.stored import constants_bytes
from edgeopt.target import Target

TILES = 4  # lanes of a vector that recurrent layers need to multiply integers (``kernels.recurrent.recurrent_codes``)
BYTES = 0.1  # the power of bytes beside time or energy: half as many are worth 7 % of it; chosen by hand
MUCH = 0.95  # of the price of what was found, above which no other forms are tried; chosen by hand


def facts_of(target: Target) -> dict[str, Any]:
    """What a technique may know of a target."""
    return {"signed": target.signed_bytes, "vector": channels_at_once(target), "recurrent": target.lanes >= TILES}


def exact_graph(
    graph: Graph, keys: Keys, context: Context, print_after: PrintAfter | None = None
) -> tuple[Graph, Mapping[str, ChannelStatistics]]:
    """``graph`` optimised exactly, at an opset that has what the forms need, and what batch normalisation recorded in it."""
    known = techniques()
    newest = max(keys, key=lambda name: known[name].opset(keys[name]))
    graph = with_opset(graph, known[newest].opset(keys[newest]), keys[newest][-1])
    statistics = batch_norm_statistics(graph)
    optimize(graph, context.level, context, print_after=print_after)
    return graph, statistics


def sketched(graph: Graph, forms: str, target: Target, level: int) -> tuple[Graph, Graph]:
    """``graph`` optimised exactly, and with ``forms`` carried out by rough solutions, for timing.

    Raises EdgeoptError when no layer can take one of the forms.
    """
    keys = {name: [key] for name, key in wanted(forms).items()}
    graph, statistics = exact_graph(graph, keys, Context(level=level))
    evidence = Evidence(graph, None, statistics, timed=True, **facts_of(target))
    sessions = opened(evidence, keys)
    if not sessions:
        first = techniques()[next(iter(keys))]
        reasons = "; ".join([first.obstacle(graph), *first.left(graph)])
        raise EdgeoptError(f"graph '{graph.name}' cannot be {first.done}: {reasons}")
    space = Space(graph, Goal(target, level), sessions)
    return graph, space.carried_out(space.rough(space.first()))


def opened(evidence: Evidence, keys: Keys, allowed: Allowance | None = None) -> list[Session]:
    """Sessions of the techniques that can change the graph, in the order of their axes, and the layers ``allowed`` them."""
    able: list[Technique] = [t for name, t in techniques().items() if name in keys and not t.obstacle(evidence.graph)]
    if allowed is None:
        return [technique.open(evidence, keys[technique.name]) for technique in able]
    exact = {t.name: frozenset(n.name for n in evidence.graph.nodes if allowed(t.name, n.name) == ()) for t in able}
    return [technique.open(replace(evidence, exact=exact[technique.name]), keys[technique.name]) for technique in able]


def promising(original: Graph, made: Graph, budget: Budget, target: Target, level: int) -> float | None:
    """What ``made`` takes, if ``original`` with all layers in the first forms of the recipe of ``budget`` would take much less.

    Else None, also when the time for the search is over.
    """
    assert budget.recipe is not None
    if is_over(budget.end):
        return None
    keys = {name: forms[:1] for name, forms in budget.recipe.keys.items()}
    graph, statistics = exact_graph(clone(original), keys, Context(level=level))
    if any(techniques()[name].obstacle(graph) for name in keys):
        return None
    calibration, _ = samples(graph, budget.data, budget.calibration, budget.seed)
    evidence = Evidence(graph, calibration, statistics, method=budget.method, timed=True, **facts_of(target))
    space = Space(graph, Goal(target, level), opened(evidence, keys))
    rough, objective = space.carried_out(space.rough(space.first())), budget.objective
    found = stored_profiles({"made": made, "rough": rough}, target, level, objective == "energy")
    takes = price(found["made"], objective)
    return takes if price(found["rough"], objective) < MUCH * takes else None


def cheaper(
    one: tuple[Graph, Decision | None], other: tuple[Graph, Decision | None], budget: Budget, target: Target, level: int
) -> tuple[Graph, Decision | None]:
    """The one of two networks that takes less, measured in turns; the ``other`` was found by ``budget``, which is noted.

    Bytes as constants are stored count a little: a few hundredths of the time are not worth twice as many.
    """
    assert budget.recipe is not None
    objective, made = budget.objective, {"one": one[0], "other": other[0]}
    found = stored_profiles(made, target, level, objective == "energy")
    sizes = {name: constants_bytes(graph) for name, graph in made.items()}
    takes = {name: price(found[name], objective) * sizes[name] ** BYTES for name in made}
    best = min(made, key=lambda name: takes[name])
    words = {name: f"{shown(found[name], objective)} and {1e-3 * sizes[name]:.3g} kB of constants" for name in made}
    why = ", taken" if best == "other" else ", not taken"
    add_note(made[best], f"recipe '{budget.recipe.name}': {words['other']} against {words['one']} without{why}")
    return other if best == "other" else one
