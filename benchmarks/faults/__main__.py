"""Device, edge server and cloud as three processes: ``python -m benchmarks.faults [--model FILE.onnx] [--links loopback]``.

The edge server is killed and restarted, and stopped; the link to it is throttled, silent, cut (on the loopback interface also
damages answers). As root the three are in network namespaces with shaped links, else on the loopback interface. Every answer is
compared with that of one machine. Exit code 1 when one is lost, wrong, or p99 lies beyond the deadline and 50 ms.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.faults.experiment import Answer, phases, run
from benchmarks.faults.links import Links, Loopback, Namespaces, namespaces_work
from benchmarks.faults.placement import write_plan

SLACK = 0.05  # seconds beyond the deadline
EXAMPLE = Path(__file__).parents[2] / "examples" / "digits.onnx"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=EXAMPLE)
    parser.add_argument("--links", choices=("namespaces", "loopback"), default="namespaces" if namespaces_work() else "loopback")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--deadline", type=float, default=200.0, help="milliseconds")
    parser.add_argument("--pause", type=float, default=20.0, help="milliseconds between requests")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        write_plan(a.model, Path(place))
        links: Links = Namespaces() if a.links == "namespaces" else Loopback()
        try:
            found = run(links, Path(place), a.requests, a.deadline / 1e3, a.pause / 1e3)
        finally:
            links.close()
    show(found, phases(links), f"{a.model.name}, {a.requests} requests over {a.links}, deadline {a.deadline:g} ms")
    raise SystemExit(not holds(found, a.requests, a.deadline / 1e3))


def holds(found: Sequence[Answer], requests: int, deadline: float) -> bool:
    """Whether nothing was lost or wrong, and p99 is within the deadline and the slack."""
    whole = len(found) == requests and all(answer.where for answer in found) and not any(answer.wrong for answer in found)
    return whole and float(np.quantile([answer.seconds for answer in found], 0.99)) <= deadline + SLACK


def show(found: Sequence[Answer], order: Sequence[str], title: str) -> None:
    """A row for each phase and one for all."""
    from rich.console import Console
    from rich.table import Table

    table = Table("phase", "requests", "by servers", "by the device", "lost", "wrong", "p50 ms", "p99 ms", "most ms", title=title)
    edges = [len(order) * i // len(found) for i in range(len(found))]
    for number, phase in enumerate(order):
        table.add_row(phase, *_cells([a for a, at in zip(found, edges, strict=True) if at == number]))
    table.add_section()
    table.add_row("all", *_cells(found))
    Console(width=120).print(table)
    print(f"largest difference from one machine: {max(a.error for a in found):.2g} of the largest output")


def _cells(found: Sequence[Answer]) -> list[str]:
    if not found:
        return ["0"]
    times = [1e3 * answer.seconds for answer in found]
    counts = [sum(":" in a.where for a in found), sum(a.where == "device" for a in found)]
    counts += [sum(not a.where for a in found), sum(a.wrong for a in found)]
    figures = (*np.quantile(times, (0.5, 0.99)), max(times))
    return [str(len(found)), *map(str, counts), *(f"{figure:.1f}" for figure in figures)]


if __name__ == "__main__":
    main()
