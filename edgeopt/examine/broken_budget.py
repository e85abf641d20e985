"""Which layer's change broke a budget: layers take their forms one after the other until too much is lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate import metrics
from edgeopt.evaluate.chance import check_reference
from edgeopt.evaluate.data import DataSet, read_pair
from edgeopt.evaluate.judge import outputs
from edgeopt.forms.form import Evidence, named
from edgeopt.forms.registry import techniques, wanted
from edgeopt.frontend import load
from edgeopt.ir import Array
from edgeopt.rewrite import Context
from edgeopt.search.goal import Goal
from edgeopt.search.sketch import exact_graph, facts_of, opened
from edgeopt.search.space import Space, merged
from edgeopt.search.timing import layer_name
from edgeopt.target import host

LEVEL = 3


@dataclass(frozen=True)
class Broken:
    """The ``number`` of the layer, counted from 1 in the order of execution, with which the loss, in percentage points, went over

    the budget: from ``before`` to ``after``; its ``form``, and the ``passes`` that carry it out.
    """

    number: int
    layer: str
    form: str
    passes: tuple[str, ...]
    before: float
    after: float


def first_over(
    model: str | Path,
    forms: str,
    data: str | Path | DataSet,
    calibration: str | Path | DataSet | None,
    max_drop: float,
    shapes: Mapping[str, Sequence[int]] | None = None,
    told: Callable[[int, float], None] = lambda count, lost: None,
) -> tuple[int, Broken | None]:
    """(the number of layers that change, the first whose change takes the loss over ``max_drop``, None where none does).

    All layers are solved in ``forms`` together; then the first so many of them are changed in runs in float, and the number is
    halved. ``told(count, lost)`` hears of each run. Raises EdgeoptError where no layer can take the forms, and as ``compile``.
    """
    keys = {name: [key] for name, key in wanted(forms).items()}
    graph, statistics = exact_graph(load(model, shapes), keys, Context(level=LEVEL))
    calibrating, evaluation = read_pair(data, calibration, graph)
    exact = outputs(graph, evaluation)
    check_reference(exact, evaluation.labels, accept_chance=True)
    target = host()
    sessions = opened(Evidence(graph, calibrating, statistics, **facts_of(target)), keys)
    if not sessions:
        raise EdgeoptError(f"no layer of graph '{graph.name}' can take {forms}; `edgeopt why` says what layers can become")
    space = Space(graph, Goal(target, LEVEL), sessions)
    first, known = space.first(), {0: 0.0}
    solved = space.solve(first)

    def lost(count: int) -> float:
        if count not in known:
            known[count] = _drop(outputs(graph, evaluation, merged(solved, space.layers[:count])), exact, evaluation)
            told(count, known[count])
        return known[count]

    total = len(space.layers)
    if lost(total) <= max_drop:
        return total, None
    low, high = 0, total
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if lost(middle) > max_drop else (middle, high)
    choice = first[space.layers[high - 1]]
    passes = tuple(dict.fromkeys(p for form in sorted(choice) for p in techniques()[form.technique].passes))
    return total, Broken(high, layer_name(space.layers[high - 1]), named(choice), passes, lost(low), lost(high))


def _drop(made: Array, exact: Array, data: DataSet) -> float:
    if data.labels is None:
        return 100.0 - metrics.agreement(made, exact)
    return metrics.accuracy(exact, data.labels) - metrics.accuracy(made, data.labels)
