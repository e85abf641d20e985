"""The estimated costs of a model's layers as a table or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from edgeopt.cli.answer import answer
from edgeopt.cli.console import note, print_table, say, warn

if TYPE_CHECKING:
    from edgeopt.cost import Estimate
    from edgeopt.examine.inspection import Inspection


def show_costs(found: Inspection, costs: Estimate, as_json: bool) -> None:
    """Print what every layer costs on its target."""
    if not found.calibrated:
        note("note: this machine is not calibrated, so rates of its family are used; 'edgeopt calibrate' measures it")
    for op, node in found.host_steps:
        warn(f"{op} '{node}' would run on the host and is not in the estimate")
    if as_json:
        sums = {"seconds": costs.seconds, "joule": costs.joule, "ram": costs.ram, "flash": costs.flash}
        answer({"target": costs.target, "layers": [asdict(layer) for layer in costs.layers], "totals": sums})
    else:
        _print(costs)


def _print(found: Estimate) -> None:
    cells = [
        (c.name, c.op, _families(c.kernels), "?" if c.macs is None else f"{c.macs:,}",
         shown(1e6 * c.seconds, 1), shown(1e6 * c.joule, 2), f"{c.ram:,}", f"{c.flash:,}")
        for c in found.layers
    ]  # fmt: skip
    columns = ("layer", "operator", "kernels", "MACs", "µs", "µJ", "RAM bytes", "flash bytes")
    print_table(columns, cells, title=f"estimated on {found.target}", numbers=range(3, 8))
    say(
        f"{shown(1e3 * found.seconds, 3)} ms, {shown(1e6 * found.joule, 1)} µJ, "
        f"RAM {found.ram:,} bytes, flash {found.flash:,} bytes "
        "(weights and code; energy of arithmetic and memory at 45 nm)"
    )


def shown(number: float, digits: int) -> str:
    """``number`` with so many ``digits`` behind the point, or one of its own where those would all be 0."""
    rounded = f"{number:,.{digits}f}"
    return rounded if float(rounded.replace(",", "")) or not number else f"{number:.1g}"


def _families(kernels: Sequence[str]) -> str:
    """The files that the kernels are in."""
    return ", ".join(dict.fromkeys(kernel.split(".")[0] for kernel in kernels))
