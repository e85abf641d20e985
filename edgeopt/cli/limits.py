"""Options of a joint search: several bounds at once, and what is to be small within them."""

from __future__ import annotations

from collections.abc import Callable

import click

from edgeopt.cli.options import Command, parse_bound

MAX_LATENCY = "The most that an inference may take, measured here for the host, else estimated. With this and the bounds below "
MAX_LATENCY += "the forms of all layers are chosen jointly over techniques, under all bounds at once."
MAX_SIZE = "The most that code and weights may take as they are stored."
MAX_ENERGY = "The most energy that an inference may take, by the cost model's estimate."
MAX_RAM = "RAM: of a microcontroller all of it, with stack, inputs and outputs [default: its board's]; else arena and scratch."
PREFER = "What is to be small within all bounds, over all techniques."
SEARCH_TIME = "No trial of the joint search begins later; the best that is known by then is taken. A search goes on where it was."
SEED = "Draws the samples that calibrate, that choose, and the third of them that only judges."


def parse_time(ctx: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """``"20ms"`` as seconds; wrong text is a usage error."""
    if value is None:
        return None
    from edgeopt.search.limits import parse_time

    return _parsed(parse_time, ctx, parameter, value)


def parse_energy(ctx: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """``"5mJ"`` as joule; wrong text is a usage error."""
    if value is None:
        return None
    from edgeopt.search.limits import parse_energy

    return _parsed(parse_energy, ctx, parameter, value)


def _parsed(parse: Callable[[str], float], ctx: click.Context, parameter: click.Parameter, value: str) -> float:
    from edgeopt.errors import EdgeoptError

    try:
        return parse(value)
    except EdgeoptError as error:
        raise click.BadParameter(str(error), ctx, parameter) from error


def limits(command: Command) -> Command:
    """``--max-latency 20ms --max-size 1M --max-energy 5mJ --prefer speed --search-time 5m --seed 0``."""
    made = click.option("--max-ram", callback=parse_bound, metavar="BYTES|64k", help=MAX_RAM)(command)
    made = click.option("--max-latency", callback=parse_time, metavar="20ms", help=MAX_LATENCY)(made)
    made = click.option("--max-size", callback=parse_bound, metavar="BYTES|1M", help=MAX_SIZE)(made)
    made = click.option("--max-energy", callback=parse_energy, metavar="5mJ", help=MAX_ENERGY)(made)
    made = click.option("--prefer", type=click.Choice(["speed", "size", "energy", "memory"]), help=PREFER)(made)
    made = click.option("--search-time", callback=parse_time, metavar="5m", help=SEARCH_TIME)(made)
    return click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help=SEED)(made)
