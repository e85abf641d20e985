"""Whether quantization pays, layer by layer, as a table or JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from edgeopt.cli.answer import answer
from edgeopt.cli.console import print_table, say, working
from edgeopt.report.times import faster, microseconds

if TYPE_CHECKING:
    from edgeopt.examine.gains import Gains, LayerGain

COLUMNS = ("layer", "float µs", "µs", "faster by", "pays")


def show_gains(model: Path, level: int, shapes: dict[str, tuple[int, ...]], target: str, quantize: str, as_json: bool) -> None:
    """Time every layer of ``model`` in float and in the scheme ``quantize`` on ``target``, and say where it pays."""
    from edgeopt.examine.gains import gains

    with working(f"quantising {model.name} to {quantize}"):
        found = gains(model, quantize, level, shapes=shapes, target=target)
    if as_json:
        layers = [asdict(g) | {"pays": g.pays} for g in found.layers]
        sums = {"float_seconds": found.total.float_seconds, "seconds": found.total.seconds, "pays": found.total.pays}
        answer({"target": target, "scheme": quantize, "measured": found.measured, "layers": layers, "totals": sums})
        return
    how = "measured" if found.measured else "estimated"
    print_table(COLUMNS, [_cells(gain) for gain in found.layers], title=f"{quantize} on {target}, {how}", numbers=(1, 2, 3))
    say(_verdict(found))


def _cells(gain: LayerGain) -> tuple[str, ...]:
    before, after = gain.float_seconds, gain.seconds
    verdict = {True: "yes", False: "no", None: "-"}[gain.pays]
    return gain.layer, microseconds(before), microseconds(after), faster(before, after), verdict


def _verdict(found: Gains) -> str:
    verdicts, total = [g.pays for g in found.layers if g.pays is not None], found.total
    short = len(found.layers) - len(verdicts)
    rest = f" ({short} more take too little time to tell)" if short else ""
    whole = f"the network takes {1e3 * total.seconds:.4g} ms instead of {1e3 * total.float_seconds:.4g}"
    advice = "-O3 --data FILE.npz quantises it" if total.pays else "-O3 quantises what pays, or leaves it in float"
    return f"{found.scheme} pays in {sum(verdicts)} of {len(verdicts)} layers{rest}; {whole}: {advice}"
