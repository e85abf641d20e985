"""``edgeopt partition``: where each layer runs, over a device, edge servers and the cloud."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import note, print_table, say, working
from edgeopt.cli.split import Tiles, split_model, split_options
from edgeopt.cli.unused_options import refuse_unused
from edgeopt.files import refuse_place

if TYPE_CHECKING:
    from edgeopt.partition.coded import Coding
    from edgeopt.partition.codes.choose import Chosen
    from edgeopt.partition.leaving import Leaving
    from edgeopt.partition.plan import Plan, Row
    from edgeopt.partition.prices import Objective
    from edgeopt.partition.subject import Subject

TIERS = "A file that describes tiers and links, or a sample: 3g, 4g, wifi, ethernet; pc, to try a plan on this machine."
OBJECTIVES = click.Choice(("latency", "energy", "throughput"))
OBJECTIVE = "What is to be least: seconds of an inference, joule of the tiers with a battery, or the busiest stage."
MAX_DROP = "Percentage points that coding tensors on links may cost, measured on --data."
EXITS = "Let samples leave the network early; half of --max-drop is for that."
PLANNED = ("source", "objective", "deadline", "data", "calibration", "max_drop", "accept_chance", "exits", "variants")
VARIANTS = "Placements to compile, for links and loads that change."


@click.command()
@click.argument("model", type=options.MODEL)
@click.option("--tiers", "source", metavar="FILE.toml|SAMPLE", help=TIERS)
@click.option("--objective", type=OBJECTIVES, default="latency", show_default=True, help=OBJECTIVE)
@click.option("--deadline", type=options.Real(min=0, min_open=True), metavar="MS", help="Milliseconds an inference may take.")
@options.shapes
@options.data
@options.calibration
@click.option("--max-drop", type=options.Real(0, 100), default=1.0, show_default=True, help=MAX_DROP)
@options.accept_chance
@click.option("--exits", is_flag=True, help=EXITS)
@click.option("-o", "output", type=options.NEW, metavar="DIR", help="Compile the parts, each for its tier, into this folder.")
@click.option("--variants", type=click.IntRange(min=1), default=3, show_default=True, help=VARIANTS)
@split_options
@options.backend
@options.as_json
def partition(
    model: Path,
    source: str | None,
    objective: Objective,
    deadline: float | None,
    shapes: dict[str, tuple[int, ...]],
    data: Path | None,
    calibration: Path | None,
    max_drop: float,
    accept_chance: bool,
    exits: bool,
    output: Path | None,
    variants: int,
    tiles: Tiles,
    backend: str,
    as_json: bool,
) -> None:
    """Cut MODEL.onnx where it pays, and show what that costs beside running it all on the device or sending the input away."""
    _refuse_unused(tiles.wanted, data is not None, output is not None)
    if output is not None:
        refuse_place(output, folder=True)  # before the work, not after it
    if tiles.wanted:
        split_model(model, tiles, shapes, output, backend, as_json)
        return
    if source is None:
        raise click.UsageError("give --tiers, or --split grid")
    from edgeopt.codegen.backends import find_backend
    from edgeopt.files import replacing
    from edgeopt.partition.package import save_plan
    from edgeopt.partition.pictures import report
    from edgeopt.partition.plan import plan
    from edgeopt.partition.record import record_of
    from edgeopt.partition.subject import subject
    from edgeopt.partition.tiers import load_tiers

    maker = find_backend(backend)  # before the work, not after it
    tiers, folder = load_tiers(source), Path(source).parent
    with working(f"planning {model.name}"):
        known = subject(model, shapes, folder, data, calibration, accept_chance)
        _note_missing_jpeg(known)
        found = plan(known, tiers, objective, deadline and deadline / 1e3, max_drop=max_drop, exits=exits)
    if as_json:
        answer(_record(found))
    else:
        _print(found)
    if output is not None:
        with working(f"compiling the parts into {output}"):
            made = save_plan(found, output, variants, backend=maker)
            shown = record_of(found, model.stem)
            for name, text in (("report.json", json.dumps(shown) + "\n"), ("report.html", report(shown))):
                with replacing(output / name) as stream:
                    stream.write(text.encode())
        if not as_json:
            parts = len({part for v in made for part in v.parts.values()})
            size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file()) / 1e3
            say(f"wrote {output}: {_counted(parts, 'part')} for {_counted(len(made), 'placement')}, {size:,.1f} kB")


def _refuse_unused(tiles: bool, data: bool, output: bool) -> None:
    if not output:
        refuse_unused(("backend",), "nothing is compiled without -o")
    if tiles:
        refuse_unused(PLANNED, "--split grid cuts into tiles and plans nothing")
        return
    refuse_unused(("grid", "until", "target"), "it is for --split grid")
    if not data:
        refuse_unused(("calibration", "max_drop", "accept_chance"), "nothing is coded and nothing leaves early without --data")
    if not output:
        refuse_unused(("variants",), "nothing is compiled without -o")


def _note_missing_jpeg(known: Subject) -> None:
    from edgeopt.partition.codes.picture import INSTALL, jpeg_possible

    if known.measures_pictures and not jpeg_possible():
        note(f"note: JPEG is left out of the ways to send the input, since it needs Pillow: {INSTALL}")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _record(found: Plan) -> dict[str, Any]:
    from dataclasses import asdict

    names = [tier.name for tier in found.tiers.tiers]
    stages = zip(found.network.stages, found.cut.placement, strict=True)
    return {
        "objective": found.objective,
        "placement": {stage.name: names[tier] for stage, tier in stages},
        "sent": dict(_sent(found)),
        "price": asdict(found.cut.price),
        "baselines": {name: asdict(price) for name, price in found.baselines.items()},
        "origins": dict(zip(names, found.origins, strict=True)),
        "leaving": None if found.leaving is None else _leaving(found.leaving),
        "coding": None if found.coding is None else _coding(found.coding),
    }


def _leaving(leaving: Leaving) -> dict[str, Any]:
    from dataclasses import asdict

    exits = leaving.exits
    return {
        "exits": [e.value for e in exits.exits],
        "confidence": exits.confidence,
        "ends": leaving.ends or None,
        "before": leaving.before,
        "reported": asdict(exits.reported),
    }


def _coding(coding: Coding) -> dict[str, Any]:
    from dataclasses import asdict

    def row(chosen: Chosen) -> dict[str, Any]:
        return {"code": chosen.code.name, "bytes": chosen.bytes, "chosen_by": asdict(chosen.loss)}

    return {
        "tensors": {name: row(chosen) for name, chosen in coding.chosen.items()},
        "uploads": {name: row(chosen) for name, chosen in coding.uploads.items()},
        "loss": asdict(coding.loss),
        "samples": coding.samples,
    }


def _sent(found: Plan) -> list[tuple[str, dict[str, float]]]:
    """What goes up over each link, with its bytes."""
    from edgeopt.partition.prices import crossing

    return [
        (link.name, {t.name: t.size for t in found.network.tensors if crossing(found.network, t, found.cut.placement, index)})
        for index, link in enumerate(found.tiers.links)
    ]


def _print(found: Plan) -> None:
    rows = [(f"best {found.objective}", found.cut.price), *found.baselines.items()]
    cells = [(name, f"{1e3 * p.latency:,.3f}", f"{1e3 * p.energy:,.3f}", f"{1 / (p.slowest or 1e-9):,.1f}") for name, p in rows]
    print_table(("placement", "latency ms", "energy mJ", "inferences/s"), cells, numbers=(1, 2, 3))
    sent = dict(_sent(found))
    for index, (tier, origin) in enumerate(zip(found.tiers.tiers, found.origins, strict=True)):
        run = [s.name for s, place in zip(found.network.stages, found.cut.placement, strict=True) if place == index]
        layers = f"{len(run)} layers, {run[0]} to {run[-1]}" if run else "no layer"
        say(f"{tier.name} ({origin}): {layers}")
        if index < len(found.tiers.links):
            link = found.tiers.links[index].name
            what = ", ".join(_as_sent(found, name, size) for name, size in sent[link].items())
            say(f"  {link}: {what or 'nothing'}")
    if found.leaving is not None:
        _print_leaving(found.leaving)
    if found.coding is not None:
        loss, samples = found.coding.loss, found.coding.samples
        single = math.prod(found.graph.outputs[0].type.dims) == 1 if found.graph.outputs[0].type is not None else False
        equal = f"{loss.agreement:.2f} % {'near the numbers' if single else 'equal decisions'}"
        say(f"coded: {loss.points:.2f} points lost, {equal} on {samples} samples that chose nothing")
    _print_table(found)


def _print_leaving(leaving: Leaving) -> None:
    exits, seen = leaving.exits, leaving.exits.reported
    if leaving.ends:
        say(f"cut short behind {leaving.ends}, to keep the deadline: {leaving.before:.2f} % -> {leaving.accuracy:.2f} % right")
        return
    for exit_, share, right in zip(exits.exits, seen.shares, seen.accuracies, strict=False):
        say(f"exit behind {exit_.value}: {100 * share:.1f} % of the samples leave, {right:.2f} % of them right")
    say(f"with exits {leaving.before:.2f} % -> {leaving.accuracy:.2f} % right on samples that chose nothing")


def _as_sent(found: Plan, name: str, size: float) -> str:
    chosen = None if found.coding is None else found.coding.chosen.get(name)
    if chosen is None or chosen.bytes != size:
        return f"{name} ({size:,.0f} bytes)"
    plain = 4 * math.prod(next(v for v in _values(found) if v.name == name).type.dims)
    return f"{name} as {chosen.code.name} ({size:,.0f} bytes, {plain / size:.1f} times fewer than {plain:,})"


def _values(found: Plan) -> list[Any]:
    return [*found.graph.inputs, *(out for node in found.graph.nodes for out in node.outputs)]


def _figures(row: Row) -> tuple[str, str]:
    return f"{1e3 * row.cut.price.latency:,.3f}", f"{1e3 * row.cut.price.energy:,.3f}"


def _print_table(found: Plan) -> None:
    """How the best placement moves with the rate of the first link: layers on each tier; rates at which all is equal together."""
    names, link = [tier.name for tier in found.tiers.tiers], found.tiers.links
    groups: list[tuple[list[float], tuple[str, ...]]] = []
    for row in (row for row in found.table if row.load == 1):
        cells = (*_figures(row), *(str(row.cut.placement.count(k)) for k in range(len(names))))
        if not groups or groups[-1][1] != cells:
            groups.append(([], cells))
        groups[-1][0].append(row.rate * link[0].up * 8 / 1e6)
    if groups:
        columns = (f"{link[0].name} Mbit/s", "latency ms", "energy mJ", *(f"layers on {name}" for name in names))
        rows = [(" to ".join(f"{rate:,.2f}" for rate in sorted({rates[0], rates[-1]})), *cells) for rates, cells in groups]
        print_table(columns, rows, title="the best placement on other links", numbers=range(len(columns)))
