"""The part of ``edgeopt partition`` that cuts the first layers into tiles: ``--split grid``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeopt.cli.answer import answer
from edgeopt.cli.console import print_table, say, working

if TYPE_CHECKING:
    from edgeopt.partition.grid.split import Split

SPLIT = "Cut the first layers into tiles for neighbours, in the place of --tiers."
GRID = "Rows and columns of tiles."
UNTIL = "The map at which tiles are put together; by default where the largest memory of maps is least."


@dataclass(frozen=True)
class Tiles:
    """What the command line says of tiles."""

    wanted: bool
    rows: int
    columns: int
    until: str
    target: str


def split_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options that the command gets as ``tiles``."""

    @wraps(command)
    def wrapped(split: str | None, grid: tuple[int, int], until: str, target: str, **others: Any) -> None:
        command(tiles=Tiles(split is not None, *grid, until, target), **others)

    for option in (
        click.option("--target", default="host", show_default=True, help="With --split: the processor of all tiles."),
        click.option("--until", default="", metavar="VALUE", help=UNTIL),
        click.option("--grid", default="2x2", show_default=True, metavar="ROWSxCOLUMNS", callback=_grid, help=GRID),
        click.option("--split", type=click.Choice(("grid",)), help=SPLIT),
    ):
        wrapped = option(wrapped)
    return wrapped


def _grid(_: click.Context, __: click.Parameter, text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d{0,2})x([1-9]\d{0,2})", text)
    if found is None:
        raise click.BadParameter(f"'{text}' is no grid; write ROWSxCOLUMNS, such as 2x2")
    return int(found[1]), int(found[2])


def split_model(
    model: Path, tiles: Tiles, shapes: dict[str, tuple[int, ...]], output: Path | None, backend: str, as_json: bool
) -> None:
    """Split, print, and write the parts when ``output`` is given."""
    from edgeopt.codegen.backends import find_backend
    from edgeopt.partition.grid.split import save_split, split
    from edgeopt.target import target as find_target

    target, maker = find_target(tiles.target), find_backend(backend)
    with working(f"cutting {model.name}"):
        found = split(model, tiles.rows, tiles.columns, target, tiles.until, shapes)
    if as_json:
        answer(_record(found))
    else:
        _print(found)
    if output is not None:
        with working(f"compiling the parts into {output}"):
            save_split(found, output, target, maker)
        if not as_json:
            say(f"{len(found.graphs)} parts in {output}")


def _record(found: Split) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "until": found.front.end.name,
        "layers": [node.name for node in found.front.nodes],
        "share_of_work": found.share,
        "redundant_work": found.redundant,
        "memory": {name: asdict(memory) for name, memory in found.memory.items()},
        "one_machine": asdict(found.whole),
    }


def _print(found: Split) -> None:
    rows = [("these layers on one machine", found.whole, ""), *((n, m, _less(found, n)) for n, m in found.memory.items())]
    cells = [(name, f"{m.maps / 1e6:,.3f}", f"{m.weights / 1e6:,.3f}", f"{m.total / 1e6:,.3f}", less) for name, m, less in rows]
    print_table(("part", "maps MB", "weights MB", "memory MB", "less"), cells, numbers=(1, 2, 3, 4))
    grid, end = "x".join(map(str, found.shape)), found.front.end
    say(f"{len(found.front.nodes)} layers to '{end.name}' ({end.type}) as {grid} tiles: {found.share:.1%} of the work")
    say(f"redundant work of the tiles: {found.redundant:.1%} of those layers")


def _less(found: Split, name: str) -> str:
    """How much less a tile takes than its layers on one machine."""
    return f"{1 - found.memory[name].total / found.whole.total:.1%}" if name in found.tiles else ""
