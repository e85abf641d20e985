"""The estimated costs of a model's layers as a table or JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from edgeopt.cli import options
from edgeopt.cli.console import note, print_table, say, working

if TYPE_CHECKING:
    from edgeopt.cost import Estimate
    from edgeopt.ir import Graph


def show_costs(model: Path, level: int, shapes: dict[str, tuple[int, ...]], name: str, as_json: bool) -> None:
    """Estimate every layer of ``model`` on the target ``name`` and print it."""
    from edgeopt.cost import estimate
    from edgeopt.cost.core import load
    from edgeopt.lower.lowering import lower
    from edgeopt.lower.table import kernels_for
    from edgeopt.target import target

    facts = target(name)
    with working(f"estimating {model.name} on {facts.name}"):
        graph, level = _optimized(model, level, shapes)
        program = lower(graph, facts, "edgeopt_model", kernels_for(level))
        found = estimate(program, graph, facts)
    if facts.name == "host" and load(facts) is None:
        note("note: this machine is not calibrated, so rates of its family are used; 'edgeopt calibrate' measures it")
    for step in program.fallbacks:
        note(f"warning: {step.node.op} '{step.node.name}' would run on the host and is not in the estimate")
    if as_json:
        sums = {"seconds": found.seconds, "joule": found.joule, "ram": found.ram, "flash": found.flash}
        options.print_json({"target": found.target, "layers": [asdict(layer) for layer in found.layers], "totals": sums})
    else:
        _print(found)


def _optimized(model: Path, level: int, shapes: dict[str, tuple[int, ...]]) -> tuple[Graph, int]:
    """The graph that is lowered, and the level to do it at: those of a compiled model, or of an ONNX file after the passes."""
    from edgeopt.frontend import load
    from edgeopt.pipeline import optimize
    from edgeopt.runtime.artifact import load as load_compiled

    if model.is_dir():
        compiled = load_compiled(model)
        return compiled.graph, int(compiled.manifest["level"])
    graph = load(model, shapes)
    if level:
        optimize(graph, level)
    return graph, level


def _print(found: Estimate) -> None:
    cells = [
        (c.name, c.op, ", ".join(dict.fromkeys(c.kernels)), "?" if c.macs is None else f"{c.macs:,}",
         f"{1e6 * c.seconds:,.1f}", f"{1e6 * c.joule:,.2f}", f"{c.ram:,}", f"{c.flash:,}")
        for c in found.layers
    ]  # fmt: skip
    columns = ("layer", "operator", "kernels", "MACs", "µs", "µJ", "RAM bytes", "flash bytes")
    print_table(columns, cells, title=f"estimated on {found.target}", numbers=range(3, 8))
    say(
        f"{1e3 * found.seconds:,.3f} ms, {1e6 * found.joule:,.1f} µJ, RAM {found.ram:,} bytes, flash {found.flash:,} bytes "
        "(weights and code; energy of arithmetic and memory at 45 nm)"
    )
