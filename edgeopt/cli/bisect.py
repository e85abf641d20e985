"""``edgeopt bisect``: which single rewrite changes the numbers of a model?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeopt.cli import loss, options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import note, say, working
from edgeopt.cli.unused_options import refuse_unused
from edgeopt.examine.tolerance import TOLERANCE

if TYPE_CHECKING:
    from edgeopt.ir import Array, Graph
    from edgeopt.rewrite import Context


REWRITES = ("level", "passes", "source", "seed", "tolerance")  # what a search for a rewrite takes, and one for a layer does not
MAX_DROP = "Look for the layer whose change in --forms takes more than this many percentage points, on --data."


@click.command()
@click.argument("model", type=options.MODEL)
@options.level
@options.shapes
@click.option("--passes", callback=options.parse_names, metavar="A,B", help="Run only these passes, in the pipeline's order.")
@click.option("--input", "source", type=options.EXISTING_FILE, help="npz file with one array per input.  [default: random]")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the random inputs.")
@click.option(
    "--tolerance", type=options.Real(min=0), default=TOLERANCE, show_default=True, help="Largest error, as a share of the range."
)
@options.data
@options.calibration
@click.option("--max-drop", type=options.Points(min=0), metavar="PP", help=MAX_DROP)
@click.option("--forms", default="w8a8", show_default=True, metavar="A,B", help="With --max-drop: the forms of all layers.")
@options.as_json
def bisect(
    model: Path,
    level: int,
    shapes: dict[str, tuple[int, ...]],
    passes: tuple[str, ...],
    source: Path | None,
    seed: int,
    tolerance: float,
    data: Path | None,
    calibration: Path | None,
    max_drop: float | None,
    forms: str,
    as_json: bool,
) -> None:
    """Find the first single rewrite after which MODEL.onnx gives other numbers; exit code 1 when there is one.

    Every probe rewrites the model anew up to some count and runs the graph by the meaning of its operators, so the answer
    concerns the rewrites alone; 'edgeopt verify' checks the compiled code.
    """
    if max_drop is not None:
        if data is None:
            raise click.UsageError("--max-drop is judged on --data")
        refuse_unused(REWRITES, "--max-drop looks for a layer, not for a rewrite")
        _bisect_budget(model, forms, data, calibration, max_drop, shapes)
        return
    refuse_unused(("data", "calibration", "forms"), "it is for --max-drop")
    search = Search(model, level, shapes, passes, source, seed, tolerance)
    with working(f"bisecting {model.name}"):
        culprit = search.first_wrong()
    answer({"rewrites": search.total, "tolerance": tolerance, "culprit": search.record(culprit)})
    if culprit is None:
        say(f"no rewrite changes the outputs ({search.total} rewrites, tolerance {tolerance:g})")
        return
    say(search.describe(culprit))
    raise click.exceptions.Exit(1)


def _bisect_budget(
    model: Path, forms: str, data: Path, calibration: Path | None, max_drop: float, shapes: dict[str, tuple[int, ...]]
) -> None:
    """Which layer's change broke the budget."""
    from edgeopt.examine.broken_budget import first_over

    def told(count: int, lost: float) -> None:
        note(f"{count} layers in {forms}: {loss.told(lost)}")

    with working(f"bisecting {model.name}"):
        total, broken = first_over(model, forms, data, calibration, max_drop, shapes, told)
    answer({"layers": total, "max_drop": max_drop, "broken": None if broken is None else asdict(broken)})
    if broken is None:
        say(f"all {total} layers in {forms} keep the budget of {max_drop:g} points")
        return
    where = f"layer {broken.number} of {total}, '{broken.layer}' as {broken.form} by {' and '.join(broken.passes)}"
    lost = f"takes the loss from {broken.before:.2f} to {broken.after:.2f} points"
    say(f"{where}, {lost}; --keep-float {broken.layer} leaves it as it is")
    raise click.exceptions.Exit(1)


@dataclass
class Search:
    """Bisection over the number of rewrites applied to ``model``."""

    model: Path
    level: int
    shapes: dict[str, tuple[int, ...]]
    passes: tuple[str, ...]
    source: Path | None
    seed: int
    tolerance: float

    def __post_init__(self) -> None:
        from edgeopt.interpret import interpret

        graph, _ = self.rewritten(0)
        self.inputs = self._inputs(graph)
        self.expected = interpret(graph, self.inputs)
        self.total = self.rewritten(None)[1].count

    def _inputs(self, graph: Graph) -> dict[str, Array]:
        from edgeopt import npz
        from edgeopt.examine.samples import limits_of, random_inputs

        if self.source is not None:
            return npz.read(self.source, [value.name for value in graph.inputs])
        types = {value.name: value.type for value in graph.inputs if value.type is not None}
        return random_inputs(types, 1, self.seed, limits_of(graph))[0]

    def rewritten(self, count: int | None) -> tuple[Graph, Context]:
        """The model after ``count`` rewrites (all when None)."""
        from edgeopt.frontend import load
        from edgeopt.pipeline import finish, optimize
        from edgeopt.rewrite import Context

        graph, context = load(self.model, self.shapes), Context(level=self.level, stop_after=count)
        optimize(graph, level=self.level, context=context, only=self.passes or None)
        finish(graph, context, self.passes or None)
        return graph, context

    def wrong(self, count: int) -> bool:
        """Whether the outputs differ after ``count`` rewrites; a graph that no longer runs differs too."""
        from edgeopt.errors import EdgeoptError
        from edgeopt.examine.difference import compare
        from edgeopt.interpret import interpret

        graph, _ = self.rewritten(count)
        try:
            actual = interpret(graph, self.inputs)
        except EdgeoptError as error:
            note(f"{count} rewrites: does not run: {error}")
            return True
        worst = max(row.error for row in compare([self.expected], [actual]))
        note(f"{count} rewrites: error {worst:.2e} of the range")
        return worst > self.tolerance

    def first_wrong(self) -> int | None:
        """The number of the first rewrite that changes the outputs, counted from 1; None when all keep them."""
        return first_true(self.wrong, self.total) if self.wrong(self.total) else None

    def record(self, number: int | None) -> dict[str, Any] | None:
        """The same for machines; None where there is no such rewrite."""
        return None if number is None else {"number": number, "pass": self._pass(number)}

    def _pass(self, number: int) -> str:
        """The pass that rewrite ``number`` belongs to."""
        (_, old), (_, new) = self.rewritten(number - 1), self.rewritten(number)
        return next(n for n, fired in new.fired.items() if fired > old.fired.get(n, 0))

    def describe(self, number: int) -> str:
        """The pass of rewrite ``number`` and what it changed."""
        (before, _), (after, _) = self.rewritten(number - 1), self.rewritten(number)
        name = self._pass(number)
        lines = unified_diff(str(before).splitlines(), str(after).splitlines(), "before", "after", lineterm="", n=1)
        head = f"rewrite {number} of {self.total}, by the pass '{name}', changes the outputs (--stop-after {number} shows it)"
        return "\n".join([head, *lines])


def first_true(test: Callable[[int], bool], last: int) -> int:
    """The smallest n in 1..last with ``test(n)``, given ``test(0)`` is False, ``test(last)`` True, by halving."""
    low, high = 0, last
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if test(middle) else (middle, high)
    return high
