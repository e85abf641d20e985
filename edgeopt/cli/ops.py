"""``edgeopt ops``: the operators that a model may hold."""

from __future__ import annotations

from dataclasses import asdict

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import print_table, say


@click.command()
@options.target
@options.as_json
def ops(target: str, as_json: bool) -> None:
    """List the operators that are read, the operator sets that changed them, and what runs them on --target.

    native: by kernels, or as other operators that mean the same. host: slowly, by ONNX's reference implementation, on this
    machine only. refused: not on this target.
    """
    from edgeopt.examine.operators import NATIVE, NEWEST, OLDEST, operators

    found = operators(target)
    answer({"target": target, "oldest": OLDEST, "newest": NEWEST, "operators": [asdict(operator) for operator in found]})
    rows = [(o.name, o.domain, ", ".join(map(str, o.versions)) or "-", o.runs) for o in found]
    print_table(("operator", "domain", "versions", "runs"), rows)
    count = sum(operator.runs == NATIVE for operator in found)
    say(f"opset {OLDEST} to {NEWEST}: {len(found)} operators, {count} native; see docs/operators.md")
