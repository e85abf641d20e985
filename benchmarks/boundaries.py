"""Tensors at the cuts of real networks as coded messages: bytes, points lost, equal decisions.

    python -m benchmarks.boundaries --models DIR --data DIR [--only NAME,...] [--max-drop 1] [--cuts 4] [--every]

Codes are fitted on NAME.cal.npz and chosen on one half of NAME.eval.npz; points lost and equal decisions are of the other half,
which has chosen nothing. ``allowed`` is what choosing held against --max-drop. Cuts are values through which all goes that
follows, spread over the network, and the input. --every shows the best code of each transform, the chosen one last. Pillow is
needed, since pictures are compared with JPEG.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.networks import data_of, network_arguments, networks
from edgeopt.forms.exit.points import points
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.ir.match import shape_of
from edgeopt.partition.codes.choose import Chosen
from edgeopt.partition.codes.coder import Coder
from edgeopt.pipeline import optimize


@dataclass(frozen=True)
class Row:
    """One cut behind the share ``depth`` of the work: bytes as float32 and coded; points and percent on ``samples``."""

    network: str
    depth: float
    value: str
    plain: int
    code: str
    coded: float
    allowed: float
    lost: float
    agreement: float
    samples: int


def rows(path: Path, data: Path, max_drop: float, cuts: int, every: bool) -> Iterator[Row]:
    """The input and ``cuts`` values of one network, each with the code that is chosen or with ``every`` candidate."""
    graph = load(path)
    optimize(graph)
    coder = Coder(graph, *data_of(path, data, graph), max_drop)
    for depth, name in _cuts(graph, cuts):
        placement = _placement(graph, name)
        coder.settle(placement, [name])
        row = Row(path.stem, depth, name, 4 * _size(graph, name), "none within the budget", 0.0, 0.0, 0.0, 100.0, coder.reporting)
        for found in _codes(coder, name, every):
            coder.chosen[name] = found
            loss = coder.reported(placement, [name])
            figures = {"coded": found.bytes, "allowed": found.loss.careful, "lost": loss.points, "agreement": loss.agreement}
            row = replace(row, code=found.code.name, **figures)
            yield row
        if not row.coded:
            yield replace(row, coded=float(row.plain))


def _codes(coder: Coder, name: str, every: bool) -> list[Chosen]:
    """The codes to show of a tensor, the chosen one last."""
    chosen = coder.chosen[name]
    others = [found for found in coder.tried[name] if found is not chosen] if every else []
    return [*others, *([] if chosen is None else [chosen])]


def _cuts(graph: Graph, count: int) -> list[tuple[float, str]]:
    found = points(graph)
    wanted = [found[i * (len(found) - 1) // max(count - 1, 1)] for i in range(min(count, len(found)))]
    return [(0.0, graph.inputs[0].name), *dict.fromkeys((p.depth, p.value.name) for p in wanted)]


def _placement(graph: Graph, name: str) -> Sequence[int]:
    """The first tier ends where ``name`` is known."""
    places = {out.name: i for i, node in enumerate(graph.nodes) for out in node.outputs}
    last = places.get(name, -1)
    return [int(i > last) for i in range(len(graph.nodes))]


def _size(graph: Graph, name: str) -> int:
    values = [*graph.inputs, *(out for node in graph.nodes for out in node.outputs)]
    size = 1
    for dimension in next(shape_of(v) or () for v in values if v.name == name):
        size *= dimension
    return size


def line(row: Row) -> str:
    """One line of the table."""
    times = f"{row.plain} | {row.coded:.0f} | {row.plain / row.coded:.1f}"
    losses = f"{row.allowed:.2f} | {row.lost:.2f} | {row.agreement:.1f} | {row.samples}"
    return f"| {row.network} | {row.depth:.2f} | {row.value} | {row.code} | {times} | {losses} |"


def main() -> None:
    parser = network_arguments(__doc__)
    parser.add_argument("--max-drop", type=float, default=1.0)
    parser.add_argument("--cuts", type=int, default=4)
    parser.add_argument("--every", action="store_true")
    given = parser.parse_args()
    columns = "network | depth | value | code | float32 bytes | coded | times fewer | allowed | points lost | equal % | samples"
    print(f"| {columns} |\n" + "|---" * 11 + "|")
    for path in networks(given):
        for row in rows(path, given.data, given.max_drop, given.cuts, given.every):
            print(line(row), flush=True)


if __name__ == "__main__":
    main()
