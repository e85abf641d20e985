"""Whether quantization pays, layer by layer, as a table or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgeopt.cli import options
from edgeopt.cli.console import print_table, say, working

if TYPE_CHECKING:
    from edgeopt.search.timing import Profile

COLUMNS = ("layer", "float µs", "µs", "faster by", "pays")
Row = tuple[str, float, float]


def show_gains(model: Path, level: int, shapes: dict[str, tuple[int, ...]], target: str, quantize: str, as_json: bool) -> None:
    """Time every layer of ``model`` in float and in the scheme ``quantize`` on ``target``, and say where it pays."""
    with working(f"quantising {model.name} to {quantize}"):
        before, after = _profiles(model, level, shapes, target, quantize)
    rows = [(name, before.layers[name], after.layers[name]) for name in before.layers if name in after.layers]
    if as_json:
        layers = [{"layer": n, "float_seconds": b, "seconds": a, "pays": a < b} for n, b, a in rows]
        sums = {"float_seconds": before.seconds, "seconds": after.seconds, "pays": after.seconds < before.seconds}
        options.print_json({"target": target, "scheme": quantize, "measured": after.measured, "layers": layers, "totals": sums})
        return
    how = "measured" if after.measured else "estimated"
    print_table(COLUMNS, [_cells(*row) for row in rows], title=f"{quantize} on {target}, {how}", numbers=(1, 2, 3))
    say(_verdict(before, after, rows, quantize))


def _profiles(model: Path, level: int, shapes: dict[str, tuple[int, ...]], target: str, quantize: str) -> tuple[Profile, Profile]:
    """The float network and the whole one in the scheme; generated inputs will do, since time does not depend on the ranges."""
    from edgeopt.forms.applied import nearest, variant
    from edgeopt.frontend import load
    from edgeopt.search.run import quantizable, scheme_for
    from edgeopt.search.timing import profiles
    from edgeopt.target import target as find_target

    facts = find_target(target)
    wanted = scheme_for(quantize, facts)
    graph = quantizable(load(model, shapes), wanted, level)
    found = profiles({"before": graph, "after": variant(graph, nearest(graph, wanted))}, facts, level)
    return found["before"], found["after"]


def _cells(name: str, before: float, after: float) -> tuple[str, ...]:
    return name, f"{1e6 * before:,.1f}", f"{1e6 * after:,.1f}", f"{before / after:.2f}x" if after else "-", _pays(before, after)


def _pays(before: float, after: float) -> str:
    return "yes" if after < before else "no"


def _verdict(before: Profile, after: Profile, rows: list[Row], quantize: str) -> str:
    paying = sum(a < b for _, b, a in rows)
    whole = f"the network takes {1e3 * after.seconds:.3f} ms instead of {1e3 * before.seconds:.3f}"
    advice = "-O3 quantises it" if after.seconds < before.seconds else "-O3 quantises what pays, or leaves it in float"
    return f"{quantize} pays in {paying} of {len(rows)} layers; {whole}: {advice}"
