"""The last stage of a search: early exits of the network that the other techniques left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from edgeopt.assembly import assemble
from edgeopt.evaluate import metrics
from edgeopt.evaluate.chance import check_reference
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.applied import Solved, applied, readable
from edgeopt.forms.form import FLOAT, Evidence, Form, Leaving, Session, Solution, Unsuited
from edgeopt.forms.registry import techniques
from edgeopt.frontend.notes import add_note
from edgeopt.ir import Array, Graph
from edgeopt.pipeline import PrintAfter, finished
from edgeopt.progress import stage
from edgeopt.rewrite import Context
from edgeopt.search.latency import timed
from edgeopt.search.recipe import Recipe
from edgeopt.search.result import Decision
from edgeopt.search.timing import Profile, layer_name, profiles
from edgeopt.search.trials import compiled_outputs
from edgeopt.target import Target

Result = tuple[Graph, Decision | None]


@runtime_checkable
class Leaves(Protocol):
    """A session whose solutions let samples leave the network early."""

    def leaving(self, solution: Solution) -> Leaving | None:
        """What happens to samples; None where none leaves."""


@dataclass(frozen=True)
class Stage:
    """What exits are looked for with: the ``form`` that is asked for, where a ``recipe`` allows it, within ``max_drop`` points.

    ``standard``: the result is a file of standard operators. ``accept_chance``: go on where the network only guesses.
    """

    form: Form
    recipe: Recipe | None
    max_drop: float
    target: Target
    context: Context
    standard: bool = False
    accept_chance: bool = False
    print_after: PrintAfter | None = None

    def carried_out(self, graph: Graph, solved: Solved) -> Graph:
        """``graph`` with exits, in the form that is wanted."""
        return (readable if self.standard else applied)(graph, solved, self.context, self.print_after)

    def forms(self, session: Session) -> dict[str, Form]:
        """What each place may have."""
        name, key = self.form.technique, self.form.key
        return {n: self.form for n in session.offers() if self.recipe is None or key in self.recipe.forms(name, n)}

    def results(self, graph: Graph, data: DataSet) -> Array:
        """What the compiled ``graph`` says of ``data``."""
        return compiled_outputs(graph, data, self.target, self.context.level)


def leave_early(graph: Graph, found: Decision | None, calibration: DataSet | None, data: DataSet | None, asked: Stage) -> Result:
    """``graph`` with exits, and what was ``found`` with them; both as they are, with a note, where there are none to have.

    ``calibration`` fits heads, half of ``data`` chooses exits and threshold and the other half reports, for the network as it
    will be shipped. What was lost before counts: the bound is that of all that is lost against the network it all began with.
    """
    technique = techniques()[asked.form.technique]
    if data is None or calibration is None:
        return _none(graph, found, "not without data, on which heads are fitted and their threshold is chosen")
    if reason := technique.obstacle(graph):
        return _none(graph, found, reason)
    stage("fitting early exits")
    reference = None if found is None else found.reference
    if reference is None:
        reference = asked.results(graph, data)
        check_reference(reference, data.labels, asked.accept_chance)
    evidence = Evidence(graph, calibration, data=data, max_drop=asked.max_drop, reference=reference)
    session = technique.open(evidence, [asked.form.key])
    try:
        return _tried(graph, found, session, reference, data, asked)
    except Unsuited as error:
        return _none(graph, found, str(error))


def _none(graph: Graph, found: Decision | None, reason: str) -> Result:
    add_note(graph, f"no early exits: {reason}")
    return graph, found


def _tried(graph: Graph, found: Decision | None, session: Session, reference: Array, data: DataSet, asked: Stage) -> Result:
    """Exits, unless there are none; the compiled network is verified on the samples that chose nothing."""
    forms = asked.forms(session)
    if not forms:
        return _none(graph, found, f"the recipe has none at its places: {', '.join(session.offers())}")
    solution = session.solve(forms, Overlay())
    left = session.leaving(solution) if isinstance(session, Leaves) else None
    if left is None:
        return _none(graph, found, f"none saves anything within {asked.max_drop:g} percentage points")
    made, rest, known = asked.carried_out(graph, [(session, solution)]), data.take(left.reporting), reference[left.reporting]
    results = asked.results(made, rest)
    before, after = (_metric(answers, known, rest) for answers in (known, results))
    if before - after > asked.max_drop:
        return _none(graph, found, f"they lose {before - after:.2f} points on samples that chose nothing")
    decision = _joined(found or _exact(graph, rest, asked), (session, solution), left, asked.form.key)
    agreement = metrics.agreement(results, known)
    decision = replace(decision, before=before, after=after, agreement=agreement, samples=len(known), reference=reference)
    decision = replace(decision, max_drop=asked.max_drop)
    decision = _timed(decision, graph, made, left, rest, asked)
    _note(made, decision, left)
    return made, decision


def _metric(results: Array, reference: Array, data: DataSet) -> float:
    if data.labels is not None:
        return metrics.accuracy(results, data.labels)
    return metrics.agreement(results, reference)


def _exact(graph: Graph, data: DataSet, asked: Stage) -> Decision:
    """What is decided where nothing was approximated before."""
    costs = profiles({FLOAT: graph}, asked.target, asked.context.level)
    metric = "same decision" if data.labels is None else "accuracy"
    return Decision([], "", "", {}, metric=metric, costs={**costs, "result": costs[FLOAT]})


def _joined(found: Decision, solved: tuple[Session, Solution], left: Leaving, key: str) -> Decision:
    """What was ``found`` before, with exits at the layers that they read."""
    session, solution = solved
    forms, places = found.forms, [layer_name(name) for name in left.shares]
    errors = {layer_name(name): error for name, error in session.errors(solution).items()}
    return replace(
        found,
        solved=[*found.solved, solved],
        title=_words(" and ", [found.title if found.changed else "", session.title([key])]),
        scheme=_words(" and ", [found.scheme, key]),
        forms=_with_exits(forms, places, key),
        errors={**errors, **found.errors},
        leaving=left,
    )


def _words(between: str, words: Iterable[str]) -> str:
    return between.join(word for word in words if word)


def _with_exits(forms: Mapping[str, str], places: list[str], key: str) -> dict[str, str]:
    """``forms`` of layers with exits at ``places``; those that were no layers yet come last."""
    known = {layer_name(name): name for name in forms}
    joined = {known[p]: _words(" + ", [forms[known[p]].replace(FLOAT, ""), key]) for p in places if p in known}
    return {**forms, **joined, **{place: key for place in places if place not in known}}


def _timed(decision: Decision, graph: Graph, made: Graph, left: Leaving, data: DataSet, asked: Stage) -> Decision:
    """``decision`` with what a mean inference costs: measured, else by the share of the work that is expected."""
    latency: Mapping[str, Mapping[str, Any]] | None = None
    if asked.target.runs_here and not asked.standard:
        level = asked.context.level
        plain, early = (assemble(finished(each, level), asked.target, level) for each in (graph, made))
        latency = timed(plain, early, data)
    result = decision.costs["result"]
    seconds = result.seconds * left.work if latency is None else latency["with_exits"]["mean"]
    costs = {**decision.costs, "result": replace(_expected(result, graph, left), seconds=seconds)}
    left = replace(left, record={**left.record, "latency": latency})
    return replace(decision, costs=costs, max_drop=asked.max_drop, leaving=left)


def _expected(profile: Profile, graph: Graph, left: Leaving) -> Profile:
    """Each layer by how often it is reached."""
    layers, reached = dict(profile.layers), 1.0
    for node in graph.nodes:
        name = layer_name(node)
        if name in profile.layers:
            layers[name] = replace(profile.layers[name], seconds=reached * profile.layers[name].seconds)
        reached -= left.shares.get(node.name, 0.0)
    return replace(profile, layers=layers)


def _note(graph: Graph, decision: Decision, left: Leaving) -> None:
    places = ", ".join(f"{100 * share:.0f} % behind '{layer_name(name)}'" for name, share in left.shares.items())
    add_note(graph, decision.summary())
    add_note(graph, f"samples leave early: {places}; {100 * left.work:.1f} % of the multiply-accumulates in the mean")
