"""``edgeopt select``: a point of a front."""

from __future__ import annotations

from pathlib import Path

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import note, print_table
from edgeopt.cli.unused_options import refuse_unused

CONDITION = "What a point has to meet: accuracy>=90, latency<=5ms, size<100k, ram<1M, energy<=2mJ. May be repeated."
PREFER = "What is to be best among the points that meet all conditions."
RECIPE = "Write the point as a recipe: edgeopt compress MODEL --recipe FILE.toml --max-drop 100 makes it."
PACK = "Compile several points into one folder, which stores what they share once; edgeopt.load_pack chooses among them."
VARIANTS = "Points that --pack takes: from the fastest to the most accurate one that meet all conditions."
SHARE = "How likely a faster variant of --pack has to decide as the most accurate one, to be trusted with an input."


@click.command()
@click.argument("front", type=options.EXISTING_FILE)
@click.option("--condition", "conditions", multiple=True, metavar="FIGURE<=VALUE", help=CONDITION)
@click.option(
    "--prefer",
    type=click.Choice(["accuracy", "speed", "size", "energy", "memory"]),
    default="accuracy",
    show_default=True,
    help=PREFER,
)
@click.option("-o", "--output", type=options.NEW, metavar="FILE.toml", help=RECIPE)
@click.option("--pack", "folder", type=options.NEW, metavar="DIR", help=PACK)
@click.option("--variants", type=click.IntRange(min=1), default=3, show_default=True, help=VARIANTS)
@click.option("--share", type=options.Real(0, 1), default=0.99, show_default=True, help=SHARE)
@options.data
@options.calibration
@options.backend
@options.as_json
def select(
    front: Path,
    conditions: tuple[str, ...],
    prefer: str,
    output: Path | None,
    folder: Path | None,
    variants: int,
    share: float,
    data: Path | None,
    calibration: Path | None,
    backend: str,
    as_json: bool,
) -> None:
    """Choose a point of FRONT.json, which 'edgeopt explore' wrote, or with --pack some, from which each inference chooses."""
    from edgeopt.cli.packing import write_pack
    from edgeopt.errors import EdgeoptError
    from edgeopt.explore.choice import choose, parse_condition, recipe_text
    from edgeopt.explore.front_file import read_front
    from edgeopt.files import refuse_place, replacing
    from edgeopt.report.front import COLUMNS, row

    found, asked = read_front(front), [parse_condition(text) for text in conditions]
    if folder is None:
        refuse_unused(("variants", "share", "data", "calibration", "backend"), "they are for --pack DIR")
    else:
        refuse_unused(("prefer", "output"), "--pack takes several points")
        if data is None:
            raise click.UsageError("--pack compiles the points: give --data, and the --calibration that explored them")
        return write_pack(found, asked, folder, (variants, share), (data, calibration), backend)
    point = choose(found.points, asked, prefer)
    record = point.record()
    print_table(COLUMNS, [row("", record)], numbers=range(1, 7))
    if output is not None:
        if not point.forms:
            way = f"edgeopt compile {found.model} -O2 makes it"
            raise EdgeoptError(f"the point is the exact network, of which there is no recipe: {way}")
        refuse_place(output)
        with replacing(output) as stream:
            stream.write(recipe_text(point, f"a point of the front of {found.model} for {found.target}").encode())
        note(f"wrote {output}: edgeopt compress {found.model} --recipe {output} --max-drop 100")
    answer({"point": record, "output": output})
    return None
