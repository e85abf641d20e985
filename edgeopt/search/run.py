"""The approximate half of -O3: from a float graph to one inside its budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import HEADS, DataSet
from edgeopt.evaluate.judge import outputs
from edgeopt.forms.applied import applied, make_readable, readable
from edgeopt.forms.form import Evidence, Form, Reading
from edgeopt.forms.registry import leaving, restructuring, techniques
from edgeopt.frontend.compact import compact
from edgeopt.frontend.notes import add_note
from edgeopt.ir import Array, Graph
from edgeopt.ir.clone import clone
from edgeopt.pipeline import PrintAfter, optimize
from edgeopt.progress import news
from edgeopt.rewrite import Context
from edgeopt.search.allowed import Budget
from edgeopt.search.corrected import without_correction
from edgeopt.search.decide import decide_within, decide_without_data
from edgeopt.search.decide_jointly import decide_jointly
from edgeopt.search.exits import Stage, leave_early
from edgeopt.search.feasible import check_names, obstacles
from edgeopt.search.goal import Goal
from edgeopt.search.ladders import Keys, ladders
from edgeopt.search.limits import Infeasible
from edgeopt.search.newer_opset import can_have, raised
from edgeopt.search.price import worse_than
from edgeopt.search.result import Decision
from edgeopt.search.samples import samples
from edgeopt.search.sketch import cheaper, exact_graph, facts_of, opened, promising, sketched
from edgeopt.search.space import merged
from edgeopt.search.sparsity import stored_profiles
from edgeopt.search.stored import constants_size, weights_by_layer
from edgeopt.search.together import together
from edgeopt.search.unused import note_unmeasured
from edgeopt.target import Target

Output = Literal["integer", "standard"]
Found = tuple[Graph, Decision | None]


def approximate(
    graph: Graph,
    budget: Budget,
    context: Context,
    target: Target,
    output: Output = "integer",
    print_after: PrintAfter | None = None,
) -> Found:
    """Optimise ``graph`` exactly and change the forms of its layers inside ``budget`` for ``target``.

    Early exits come last, in the network that all else left: half of the budget is for what comes before them. ``output`` is what
    is made of the result: ``integer`` operators for compilation, or ``standard`` operators, which other runtimes read. Returns
    another graph, and what was decided: None, with a note why, for a graph in which nothing can be changed. Raises EdgeoptError
    when the data does not fit the graph.
    """
    last, others = leaving(budget.names)
    if not last:
        return _either(graph, budget, context, target, output, print_after)
    budget.pins.refuse(dict.fromkeys(last, "exits are chosen for a network, not for a layer; name them in --forms or a recipe"))
    if others:
        early = _narrowed(budget, others, budget.max_drop / 2)
        graph, found = _layers(graph, early, context, target, output, print_after)
    else:
        graph, found = _exact(graph, budget, context, output, print_after), None
    ((name, key),) = last.items()
    said = (output == "standard", budget.accept_chance, print_after)
    asked = Stage(Form(name, key), budget.recipe, budget.max_drop, target, context, *said)
    return leave_early(graph, found, *samples(graph, budget.data, budget.calibration, budget.seed, HEADS), asked)


def _either(
    graph: Graph, budget: Budget, context: Context, target: Target, output: Output, print_after: PrintAfter | None
) -> Found:
    """Layers in other forms, or in those of another recipe where that takes less: it is tried where an estimate promises much."""
    others, level = budget.others(), context.level
    original = clone(graph) if others else graph
    found = _layers(graph, budget, context, target, output, print_after)
    for other in others:
        takes = None if found[1] is None else promising(original, found[0], other, target, level)
        if takes is not None:
            news("again, with the forms of another recipe")
            try:
                second = _layers(clone(original), replace(other, known=takes), context, target, output, print_after)
            except Infeasible:
                continue
            found = cheaper(found, second, other, target, level)
    return found


def _layers(
    graph: Graph, budget: Budget, context: Context, target: Target, output: Output, print_after: PrintAfter | None
) -> Found:
    """Layers in other forms.

    Where structures and other forms are wanted, structures come first, with half of the budget: the others change the layers that
    there are then, and both together are held to the whole of it.
    """
    structures, others = restructuring(budget.names)
    if structures and budget.data is None and budget.calibration is None:
        needed = "not without data, on which layers are fitted and the loss is verified"
        budget.pins.refuse(dict.fromkeys(structures, needed))
        add_note(graph, f"{' and '.join(structures)}: {needed}")
        if not others:
            return _exact(graph, budget, context, output, print_after), None
        structures, budget = {}, _narrowed(budget, others, budget.max_drop)
    if not structures or not others:
        return _stage(graph, budget, context, target, output, print_after)
    return _two_stages(graph, budget, context, target, output, print_after)


def _two_stages(
    graph: Graph, budget: Budget, context: Context, target: Target, output: Output, print_after: PrintAfter | None
) -> Found:
    """Structures, then the other techniques; without structures where these make the network slower."""
    structures, others = restructuring(budget.names)
    early, late = _narrowed(budget, structures, budget.max_drop / 2), _narrowed(budget, others, budget.max_drop)
    graph = raised(graph, others)
    made, first = _stage(clone(graph), early, context, target, "integer", print_after)
    known = first.reference if first is not None else None
    made, second = _stage(made, late, context, target, output, print_after, known)
    compared = budget.objective != "size" and output == "integer" and second is not None
    if compared and first is not None and first.changed:
        simple = sketched(clone(graph), ",".join(others.values()), target, context.level)[1]
        costs = stored_profiles({"simple": simple, "both": made}, target, context.level, budget.objective == "energy")
        if more := worse_than(costs["simple"], costs["both"], budget.objective):
            add_note(graph, f"{' and '.join(structures)}: not with {' and '.join(others)}: {more}")
            return _stage(graph, late, context, target, output, print_after)
    return made, together(first, second)


def _exact(graph: Graph, budget: Budget, context: Context, output: Output, print_after: PrintAfter | None) -> Graph:
    optimize(graph, context.level, context, print_after=print_after)
    check_names(graph, budget.pins, budget.recipe)
    if output == "standard":
        make_readable(graph, context)
    return graph


def _narrowed(budget: Budget, names: Mapping[str, str], max_drop: float) -> Budget:
    """``budget`` for some of its techniques."""
    made = replace(budget, max_drop=max_drop)
    object.__setattr__(made, "names", dict(names))
    return made


def _stage(
    graph: Graph,
    budget: Budget,
    context: Context,
    target: Target,
    output: Output,
    print_after: PrintAfter | None,
    known: Array | None = None,
) -> Found:
    """``approximate`` with techniques that are searched with together; ``known`` are the results that their drop counts from."""
    first, finer = ladders(budget.names, budget.recipe, output == "standard")
    original = clone(graph)
    graph, found = _attempt(graph, first, budget, context, target, output, print_after, known)
    everything: Keys = {name: [*keys, *finer[name]] for name, keys in first.items()}
    if found is not None and found.given_back and any(finer.values()) and can_have(original, everything):
        graph, found = _attempt(original, everything, budget, context, target, output, print_after, known)
    lines = [line for name in first for line in techniques()[name].left(graph)]
    if found is not None:
        found = replace(found, source=constants_size(original), weights=weights_by_layer(original))
        graph = carried_out(graph, found, context, output, print_after)
    for line in lines:
        add_note(graph, line)
    return graph, found


def _attempt(
    graph: Graph,
    keys: Keys,
    budget: Budget,
    context: Context,
    target: Target,
    output: Output,
    print_after: PrintAfter | None,
    known: Array | None,
) -> Found:
    """``graph`` optimised, and what the search finds with the forms ``keys``."""
    own, keys = keys, budget.pins.keys(keys)
    graph, statistics = exact_graph(graph, keys, context, print_after)
    if known is None:  # else the names are those of layers that structures left
        check_names(graph, budget.pins, budget.recipe)
    if output == "standard":
        make_readable(graph, context)
    reasons = obstacles(keys, graph, context.level)
    budget.pins.refuse(reasons)
    if all(reasons.values()):
        first = next(iter(keys))
        add_note(graph, f"nothing was {techniques()[first].done}: {reasons[first]}")
        return graph, None
    goal = budget.goal(target, context.level)
    calibration, evaluation = samples(graph, budget.data, budget.calibration, budget.seed)
    reading = Reading(budget.profile or "") if output == "standard" else None
    evidence = Evidence(graph, calibration, statistics, method=budget.method, reading=reading, **facts_of(target))
    general = {name: forms for name, forms in own.items() if name in budget.general}
    if calibration is None:
        note_unmeasured(graph, budget)
        copied = replace(evidence, graph=clone(graph))  # what a session changes in the graph is for the search alone
        allowed = budget.pins.allowed(general, budget.recipe, lambda keys: opened(copied, keys))
        return graph, decide_without_data(graph, goal, lambda: opened(evidence, keys), allowed)
    judged, allowed = evaluation or calibration, budget.pins.allowed(general, budget.recipe, None)
    if goal.limits is None:
        found = decide_within(graph, judged, goal, lambda: opened(evidence, keys, allowed), known, allowed)
    else:
        found = decide_jointly(graph, evidence, judged, goal, lambda: opened(evidence, keys, allowed), allowed, budget.seed)
    if budget.recipe is not None and budget.limits is None:
        found = replace(found, uncorrected=without_correction(graph, found, judged))
    return graph, found if reading is None else _completed(graph, found, judged, goal)


def carried_out(
    graph: Graph, found: Decision, context: Context, output: Output = "integer", print_after: PrintAfter | None = None
) -> Graph:
    """What was found, in the form that is wanted, with what there is to say about it."""
    make = readable if output == "standard" else applied
    made = make(graph, found.solved, context, print_after)
    if found.metric == "accuracy":
        add_note(made, f"the float model is right on {found.before:.2f} % of {found.samples} samples")
    for line in filter(None, (found.summary(), found.caution())):
        add_note(made, line)
    for session, _ in found.solved:
        for line in session.remarks(made):
            add_note(made, line)
    compact(made)
    return made


def _completed(graph: Graph, found: Decision, evaluation: DataSet, goal: Goal) -> Decision:
    """``found`` with what the reader of the file wants besides, verified again."""
    solved = [(session, session.completed(solution)) for session, solution in found.solved]
    if all(new is old for (_, new), (_, old) in zip(solved, found.solved, strict=True)):
        return found
    result, labels = outputs(graph, evaluation, merged(solved)), evaluation.labels
    agreement = metrics.agreement(result, outputs(graph, evaluation))
    after = agreement if labels is None else metrics.accuracy(result, labels)
    if found.before - after > goal.max_drop >= found.before - found.after:
        lost = f"{found.after:.2f} % to {after:.2f} %"
        add_note(graph, f"rounding what the reader wants rounded besides takes the {found.metric} from {lost}")
    return replace(found, solved=solved, after=after, agreement=agreement)
