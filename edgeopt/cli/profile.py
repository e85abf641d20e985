"""``edgeopt profile``: what each layer of some models takes on this machine, as a file that other machines plan with."""

from __future__ import annotations

import platform
from pathlib import Path

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import note, print_table, working
from edgeopt.files import refuse_place
from edgeopt.report.times import microseconds


@click.command()
@click.argument("models", metavar="MODEL...", type=options.MODEL, nargs=-1, required=True)
@options.shapes
@click.option("--seconds", type=options.Real(0.1, 600), default=2.0, show_default=True, help="Measuring time of each model.")
@click.option("-o", "output", type=options.NEW, required=True, metavar="FILE.json", help="Where the times are written.")
@options.as_json
def profile(models: tuple[Path, ...], shapes: dict[str, tuple[int, ...]], seconds: float, output: Path, as_json: bool) -> None:
    """Time each layer of some models on one core of this machine, for 'edgeopt partition' ('profile = FILE' of a tier).

    Layers of other models are predicted from these, by a regression for each operator; several models make it a better one.
    """
    from edgeopt.frontend import load
    from edgeopt.partition.measure import measure
    from edgeopt.partition.profile import write_profile
    from edgeopt.pipeline import optimize
    from edgeopt.target import host

    refuse_place(output)  # before the work, not after it
    layers = []
    for model in models:
        graph = load(model, shapes)
        with working(f"timing the layers of {model.name}"):
            optimize(graph)
            layers += measure(graph, seconds=seconds)
    write_profile(output, f"{platform.node()} ({host().cpu})", layers)
    if as_json:
        answer({"file": str(output), "layers": {layer.name: layer.seconds for layer in layers}})
        return
    cells = [(layer.name, layer.op, f"{layer.macs:,}", f"{layer.bytes:,}", microseconds(layer.seconds)) for layer in layers]
    print_table(("layer", "operator", "MACs", "bytes", "µs"), cells, numbers=(2, 3, 4))
    note(f"wrote {output}")
