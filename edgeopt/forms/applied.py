"""How solutions are carried out: the one way from the exact graph to what is tried, timed and shipped."""

from __future__ import annotations

from collections.abc import Sequence

from edgeopt.forms.form import Session, Solution
from edgeopt.ir import Graph
from edgeopt.ir.clone import clone
from edgeopt.passes import split_residual, standard_products
from edgeopt.pipeline import PrintAfter, optimize
from edgeopt.rewrite import Context, run_pass

READABLE = (split_residual.PASS, standard_products.PASS)  # run where a file for other runtimes is wanted
SMALL = ["fold_weight_dequantization", "fold_recurrent_dequantization"]
Solved = Sequence[tuple[Session, Solution]]  # in the order of the axes


def applied(graph: Graph, solved: Solved, context: Context, print_after: PrintAfter | None = None) -> Graph:
    """A copy of the exact ``graph`` in which the solutions are carried out, optimised at the level of ``context``."""
    made = _carried_out(graph, solved, context)
    # first of all, or constant folding would widen small weights
    optimize(made, context.level, context, only=SMALL, print_after=print_after)
    optimize(made, context.level, context, print_after=print_after)
    return made


def readable(graph: Graph, solved: Solved, context: Context, print_after: PrintAfter | None = None) -> Graph:
    """A copy in which the solutions are carried out in standard operators, for other runtimes."""
    made = _carried_out(graph, solved, context)
    run_pass(made, standard_products.PASS, context)
    optimize(made, context.level, context, only=["dead_code"], print_after=print_after)
    return made


def make_readable(graph: Graph, context: Context) -> None:
    """Bring an exact graph into the form that ``readable`` starts from."""
    run_pass(graph, split_residual.PASS, context)


def _carried_out(graph: Graph, solved: Solved, context: Context) -> Graph:
    made = clone(graph)
    for session, solution in solved:
        session.carry_out(made, solution, context)
    return made
