"""``edgeopt inspect``: what a model is made of and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import print_table, say, working
from edgeopt.cli.costs import show_costs
from edgeopt.cli.stored import show_bytes

if TYPE_CHECKING:
    from edgeopt.report.layers import Layer, Totals

TARGET = "Estimate latency, energy, RAM and flash on this processor."


@click.command()
@click.argument("model", type=options.EXISTING)
@options.level
@options.shapes
@click.option("--target", metavar="NAME|FILE.toml", help=TARGET)
@click.option("--bytes", "in_bytes", is_flag=True, help="Say where every byte of a compiled model goes.")
@options.as_json
def inspect(
    model: Path, level: int, shapes: dict[str, tuple[int, ...]], target: str | None, in_bytes: bool, as_json: bool
) -> None:
    """Show each layer of MODEL.onnx or a compiled model: operator, output, multiply-accumulates, parameter bytes.

    With --target: what each layer of the optimized model (-O) would cost on that processor, which need not be at hand.
    With --bytes: what each tensor and file of a compiled model takes on disk and in memory, and how it is coded.
    """
    if in_bytes and target is not None:
        raise click.UsageError("--bytes and --target ask for different tables; give one of them")
    if in_bytes:
        return show_bytes(model, as_json)
    from edgeopt.examine.inspection import inspect as examine

    with working(f"inspecting {model.name}"):
        found = examine(model, level, shapes=shapes, target=target)
    if found.costs is not None:
        show_costs(found, found.costs, as_json)
    elif as_json:
        answer({"layers": [asdict(r) for r in found.layers], "totals": asdict(found.totals), **found.sizes})
    else:
        _print(found.layers, found.totals, found.sizes)
    return None


def _print(rows: Sequence[Layer], sums: Totals, sizes: dict[str, int]) -> None:
    columns = ("layer", "operator", "output", "MACs", "parameter bytes")
    cells = [(r.name, r.op, r.output, "?" if r.macs is None else f"{r.macs:,}", f"{r.parameter_bytes:,}") for r in rows]
    print_table(columns, cells, numbers=(3, 4))
    print_table(("operator", "nodes"), sums.ops.items(), numbers=(1,))
    say(f"{sums.nodes} nodes, {sums.macs:,} MACs, {sums.parameter_bytes:,} parameter bytes")
    if sums.unknown:
        say(f"the MACs of {sums.unknown} layers depend on unknown dimensions; bind them with --shape")
    for key, value in sizes.items():
        say(f"{key.replace('_', ' ')}: {value:,}")
