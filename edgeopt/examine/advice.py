"""What to change to gain a point, a millisecond, or bytes, by what each layer's form costs and saves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgeopt.report.times import measurable
from edgeopt.search.why import LayerBlame

POINT = 1.0  # percentage points
NAMED = 5  # layers in a sentence


def advice(rows: Sequence[LayerBlame], change: float) -> tuple[str, ...]:
    """Sentences; ``change`` are the percentage points that the whole changed network gains (negative: loses)."""
    return (_points(rows, change), *_time(rows), *_bytes(rows)) if rows else ()


def _points(rows: Sequence[LayerBlame], change: float) -> str:
    """Which layers to leave in float for a point, or for all that is lost where that is less."""
    if change >= 0:
        return "for accuracy: nothing is lost on these samples"
    wanted, chosen, gained = min(POINT, -change), list[LayerBlame](), 0.0
    for row in sorted(rows, key=lambda r: (-(r.without - change), -r.without_ratio)):
        if gained >= wanted or len(chosen) == NAMED or row.without <= change:
            break
        chosen.append(row)
        gained += row.without - change
    if not chosen:
        return f"for accuracy: {-change:.2f} points are lost, and no single layer in float gives any back: choose a gentler form"
    names = ",".join(row.layer for row in chosen)
    time = f"{1e6 * sum(r.seconds_before - r.seconds_after for r in chosen):+,.1f} µs"
    cost = f"{time} and {sum(r.bytes_before - r.bytes_after for r in chosen):+,} bytes"
    hope = "" if len(chosen) == 1 else " if what they gain adds up"
    return f"for accuracy: of {-change:.2f} points lost, --keep-float {names} gives back {gained:.2f}{hope}, for {cost}"


def _time(rows: Sequence[LayerBlame]) -> Iterator[str]:
    """What slows down, and what still takes most."""
    timed = [row for row in rows if measurable(row.seconds_before, row.seconds_after)]
    slower = sorted((r for r in timed if r.seconds_after > r.seconds_before), key=lambda r: r.seconds_before - r.seconds_after)
    if slower:
        lost = sum(row.seconds_after - row.seconds_before for row in slower)
        names = ",".join(row.layer for row in slower[:NAMED])
        why = "what they are changed to is slower; between layers of codes conversions may take that again: compare both"
        yield f"for time: --keep-float {names} saves at most {1e6 * lost:,.1f} µs, for {why}"
    total = sum(row.seconds_after for row in timed)
    if total:
        most = max(timed, key=lambda r: r.seconds_after)
        share = f"{1e6 * most.seconds_after:,.1f} µs, {100 * most.seconds_after / total:.0f} % of all layers"
        saved = 1e6 * (most.seconds_before - most.seconds_after)
        yield f"for time: '{most.layer}' takes most, {share}; its form saves {saved:,.1f} µs"


def _bytes(rows: Sequence[LayerBlame]) -> Iterator[str]:
    """What takes most."""
    total = sum(row.bytes_after for row in rows)
    if total:
        most = max(rows, key=lambda r: r.bytes_after)
        share = f"{most.bytes_after:,} of {total:,} bytes"
        yield f"for bytes: '{most.layer}' takes most, {share}; its form saves {most.bytes_before - most.bytes_after:,}"
