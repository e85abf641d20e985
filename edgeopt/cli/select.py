"""``edgeopt select``: a point of a front."""

from __future__ import annotations

from pathlib import Path

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import note, print_table

CONDITION = "What a point has to meet: accuracy>=90, latency<=5ms, size<100k, ram<1M, energy<=2mJ. May be repeated."
PREFER = "What is to be best among the points that meet all conditions."
RECIPE = "Write the point as a recipe: edgeopt compress MODEL --recipe FILE.toml --max-drop 100 makes it."


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
@options.as_json
def select(front: Path, conditions: tuple[str, ...], prefer: str, output: Path | None, as_json: bool) -> None:
    """Choose a point of FRONT.json, which 'edgeopt explore' wrote."""
    from edgeopt.explore.choice import choose, parse_condition, recipe_text
    from edgeopt.explore.front_file import read_front
    from edgeopt.files import refuse_place, replacing
    from edgeopt.report.front import COLUMNS, row

    found = read_front(front)
    point = choose(found.points, [parse_condition(text) for text in conditions], prefer)
    record = point.record()
    print_table(COLUMNS, [row("", record)], numbers=range(1, 7))
    if output is not None:
        refuse_place(output)
        with replacing(output) as stream:
            stream.write(recipe_text(point, f"a point of the front of {found.model} for {found.target}").encode())
        note(f"wrote {output}: edgeopt compress {found.model} --recipe {output} --max-drop 100")
    answer({"point": record, "output": output})
