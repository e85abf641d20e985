"""The form of every layer: what pays on the target, verified on the whole network, repaired until it is within its budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from edgeopt.evaluate.chance import check_reference
from edgeopt.evaluate.data import DataSet
from edgeopt.forms.form import EXACT, FLOAT, Choice, Forms, Session, named
from edgeopt.ir import Array, Graph
from edgeopt.progress import stage
from edgeopt.search import budget
from edgeopt.search.candidates import candidates
from edgeopt.search.exchange import exchange
from edgeopt.search.goal import Goal
from edgeopt.search.ladders import FAR
from edgeopt.search.pins import Allowance
from edgeopt.search.price import worse_than
from edgeopt.search.result import Decision
from edgeopt.search.space import Space, merged
from edgeopt.search.sparsity import stored_profiles
from edgeopt.search.start import Start, rejection, start
from edgeopt.search.stored import layer_bytes
from edgeopt.search.timing import Profile
from edgeopt.search.trials import Trials, compiled_outputs

BOLD = 2.0
Open = Callable[[], Sequence[Session]]
Candidates = Callable[[], list[budget.Candidate[Choice]]]


def decide_within(
    graph: Graph,
    evaluation: DataSet,
    goal: Goal,
    sessions: Open,
    known: Array | None = None,
    allowed: Allowance | None = None,
) -> Decision:
    """Most layers changed whose drop on ``evaluation`` is at most ``goal.max_drop`` percentage points.

    The drop is that of accuracy when there are labels, else the share of decisions that change. ``known`` are the results that
    it counts from, when those are not of ``graph`` itself. Opening the ``sessions`` may change the weights in ``graph``, not its
    outputs. Raises EdgeoptError for a float network that only guesses.
    """
    stage("running the float network")
    reference = compiled_outputs(graph, evaluation, goal.target, goal.level) if known is None else known
    version = graph.version
    check_reference(reference, evaluation.labels, goal.accept_chance)
    stage("choosing how to approximate")
    space = Space(graph, goal, sessions(), allowed)
    if graph.version != version and known is None:
        reference = compiled_outputs(graph, evaluation, goal.target, goal.level)
    stage("timing layers")
    trials, first = Trials(space, evaluation, reference), start(space)
    stage("verifying on the samples")
    choice = _chosen(space, trials, first)
    found, forms = decided(space, first, choice.forms, choice.given_back)
    after, agreement = trials.result(forms)
    made = replace(found, metric=trials.metric, before=trials.before, after=after, agreement=agreement, reach=trials.reach(forms))
    return replace(made, samples=evaluation.samples, max_drop=goal.max_drop, reference=reference)


def _chosen(space: Space, trials: Trials, first: Start) -> budget.Choice[Choice]:
    """The forms that keep within the budget by compiled code.

    Of techniques with many levels, those that the repair passed over are tried at last.
    """
    known: list[budget.Candidate[Choice]] = []

    def asked() -> list[budget.Candidate[Choice]]:
        known.extend([] if known else candidates(space))
        return known

    if space.restructures:
        return _structures(space, trials, first, asked)
    found = budget.choose(first.forms, asked, trials.drop, space.goal.max_drop, EXACT)
    if found.given_back and any(session.technique.axis in FAR for session in space.sessions):
        return exchange(first.forms, found, asked(), trials.screened, space.goal.max_drop)
    return found


def _structures(space: Space, trials: Trials, first: Start, asked: Candidates) -> budget.Choice[Choice]:
    """Structures, looked for by runs in float with layers that were solved each by itself.

    Those that lose ``BOLD`` times the budget are tried first: solved together, layers make up for one another.
    """
    most = space.goal.max_drop
    for share in (BOLD, 1.0):
        quick = budget.choose(first.forms, asked, lambda forms: trials.simulated(forms, alone=True), share * most, EXACT)
        if trials.simulated(quick.forms) <= most:
            break
    choice = budget.choose(quick.forms, asked, trials.drop, most, EXACT)
    changed = dict.fromkeys((*quick.given_back, *choice.given_back))  # which of its structures a layer has says nothing of it
    return replace(choice, given_back=tuple(layer for layer in changed if choice.forms[layer] == EXACT))


def decide_without_data(graph: Graph, goal: Goal, sessions: Open, allowed: Allowance | None = None) -> Decision:
    """All layers that pay, with nothing to verify them on."""
    space = Space(graph, goal, sessions(), allowed)
    first = start(space)
    return decided(space, first, first.forms, ())[0]


def decided(space: Space, first: Start, forms: Forms, given_back: tuple[str, ...]) -> tuple[Decision, Forms]:
    """The Decision for ``forms``; all exact when giving layers back made the network slower than that."""
    goal, slow, solved, partly = space.goal, first.slow, space.solve(forms), False
    made = {FLOAT: space.graph, "result": space.carried_out(solved)}
    costs = first.rejected or _costs(made, goal)
    free = not space.pinned and not (goal.limits and goal.limits.given)  # of what was asked for, whatever it costs
    if goal.objective != "size" and free and worse_than(costs[FLOAT], costs["result"], goal.objective):
        costs, partly = rejection(costs[FLOAT], costs["result"]), bool(slow or given_back)
        forms, slow, given_back, solved = dict.fromkeys(space.layers, EXACT), tuple(space.layers), (), []
    errors = {layer: error for session, solution in solved for layer, error in session.errors(solution).items()}
    kept = {*space.layers, *space.refused}
    names = {n.name: named(forms.get(n.name, EXACT)) for n in space.graph.nodes if n.name in kept}
    title = " and ".join(session.title(space.taken(session, forms)) for session, _ in solved)
    decision = Decision(
        solved,
        title,
        space.wanted,
        names,
        given_back,
        slow,
        costs=costs,
        partly=partly,
        refused=dict(space.refused),
        errors=errors,
        objective=goal.objective,
    )
    if (goal.objective == "size" or goal.limits is not None) and not space.restructures:
        decision = replace(decision, stored=layer_bytes(space.graph, space.layers, merged(solved)))
    return decision, forms


def _costs(graphs: Mapping[str, Graph], goal: Goal) -> dict[str, Profile]:
    """The Profile of each graph; energy is estimated besides, where there is a limit to it."""
    estimated, coded = goal.objective == "energy", goal.objective == "size" and not goal.target.bare
    found = stored_profiles(graphs, goal.target, goal.level, estimated, coded)
    if estimated or goal.limits is None or goal.limits.energy is None:
        return found
    joule = stored_profiles(graphs, goal.target, goal.level, energy=True)
    return {name: profile.with_energy_of(joule[name]) for name, profile in found.items()}
