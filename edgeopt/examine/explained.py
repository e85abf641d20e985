"""Why a compiled model is as it is: what each layer became, by which pass, what that costs and saves; what to change."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeopt.forms.form import FLOAT
from edgeopt.forms.registry import techniques
from edgeopt.report.stored import stored_by_layer
from edgeopt.runtime.artifact import load
from edgeopt.search.goal import Objective
from edgeopt.search.limits import UNITS, amount

LOOSER = "a larger --max-drop lets it change further"
FURTHER = "--prefer speed or size looks among all forms"
CHEAPER = "a recipe with a structure (prune_channels, low_rank, separate_depthwise) has fewer products in it"


@dataclass(frozen=True)
class LayerStory:
    """One layer: its ``form``, the ``passes`` that made it, relative ``error`` at its output, seconds before and after, bytes of

    its weight before and as stored (None where nobody counted them), and the ``reason`` where it stayed as it was.
    """

    layer: str
    form: str
    passes: tuple[str, ...]
    error: float | None
    seconds_before: float
    seconds: float
    bytes_before: int | None
    bytes: int | None
    reason: str


@dataclass(frozen=True)
class Story:
    """``passes`` that fired with the number of their rewrites, ``layers`` with the slowest first, and ``suggestions``."""

    passes: Mapping[str, int]
    layers: tuple[LayerStory, ...]
    suggestions: tuple[str, ...]


def explain(directory: str | Path) -> Story:
    """The story of the compiled model in a directory. Raises EdgeoptError for what is none."""
    manifest = load(directory).manifest
    record = manifest.get("quantization")
    were = {row["layer"]: row["were"] for row in (manifest.get("compression") or {}).get("layers", [])}
    stored = stored_by_layer(manifest)
    layers = [] if record is None else record["layers"]
    rows = [_story(layer, were.get(layer["layer"]), stored, manifest["passes"]) for layer in layers]
    ordered = tuple(sorted(rows, key=lambda row: -row.seconds))
    return Story(manifest["passes"], ordered, tuple(_suggestions(ordered, manifest)))


def _story(layer: Mapping[str, Any], were: int | None, stored: Mapping[str, int], fired: Collection[str]) -> LayerStory:
    passes = passes_of(layer["form"])
    return LayerStory(
        layer["layer"],
        layer["form"],
        tuple(name for name in passes if name in fired) or passes,
        layer["error"],
        layer["float_seconds"],
        layer["seconds"],
        layer.get("float_bytes") if were is None else were,
        stored.get(layer["layer"]),
        layer["reason"],
    )


def passes_of(form: str) -> tuple[str, ...]:
    """The passes that carry out forms, which are joined by " + " as tables have them."""
    keys = form.split(" + ")
    mine = [t for t in techniques().values() if any(key in t.form_keys() for key in keys)]
    return tuple(dict.fromkeys(name for technique in mine for name in technique.passes))


def _suggestions(rows: Sequence[LayerStory], manifest: Mapping[str, Any]) -> list[str]:
    """What to change for accuracy, for time, for bytes."""
    record = manifest.get("quantization")
    if record is None:
        said = [note for note in manifest["notes"] if note.startswith("nothing was ")]  # of what was looked for
        return said or ["nothing was approximated: -O3 with --data does that within --max-drop"]
    stored = sum(tensor["stored"] for tensor in manifest["storage"]["tensors"])
    if "training" in manifest:
        trained = _learned(record, manifest["training"]), _time(rows, record, CHEAPER), _bytes(rows, stored)
        return [line for line in trained if line]
    ways = [LOOSER] if record["tried"] else [LOOSER, FURTHER]
    more = "; ".join(ways) if record["max_drop"] else FURTHER
    made = [line for line in (_accuracy(rows), _time(rows, record, more), _bytes(rows, stored)) if line]
    return [*made, *_room(record, manifest.get("limits"))]


def _learned(record: Mapping[str, Any], training: Mapping[str, Any]) -> str:
    """What gives back what a network lost that was trained in its forms."""
    if record["before"] is None or record["before"] <= record["after"]:
        return ""
    took = f"{record['before'] - record['after']:.2f} points were lost in {training['steps']:,} steps"
    return f"for accuracy: {took}; more of them (--epochs), more samples, or a recipe with gentler forms give some back"


def _accuracy(rows: Sequence[LayerStory]) -> str:
    changed = [row for row in rows if row.form != FLOAT and row.error is not None]
    if not changed:
        return ""
    worst = max(changed, key=lambda row: row.error or 0.0)
    cost = f"{1e6 * (worst.seconds_before - worst.seconds):+,.1f} µs"
    if worst.bytes is not None and worst.bytes_before is not None:
        cost += f" and {worst.bytes_before - worst.bytes:+,} bytes"
    where = f"'{worst.layer}' has the largest error, {100 * (worst.error or 0):.1f} %"
    return f"for accuracy: {where}; --keep-float {worst.layer} costs {cost}"


def _time(rows: Sequence[LayerStory], record: Mapping[str, Any], more: str) -> str:
    total = record["totals"]["result"]["seconds"]
    if not rows or not total:
        return ""
    slow = rows[0]
    share = f"of these layers '{slow.layer}' takes most, {100 * slow.seconds / total:.0f} % of {1e3 * total:.3g} ms"
    what = f"it stays in float: {slow.reason}" if slow.form == FLOAT and slow.reason else f"as {slow.form}"
    return f"for time: {share}, {what}; {more}"


def _bytes(rows: Sequence[LayerStory], stored: int) -> str:
    """Which layer to look at for bytes, with its share of all that is ``stored``, other layers included."""
    known = [row for row in rows if row.bytes]
    if not known:
        return ""
    largest = max(known, key=lambda row: row.bytes or 0)
    share = f"{100 * (largest.bytes or 0) / stored:.0f} % of the weights as stored"
    return f"for bytes: of these layers '{largest.layer}' takes most, {largest.bytes:,} B, {share}, as {largest.form}"


def _room(record: Mapping[str, Any], limits: Mapping[str, Any] | None) -> list[str]:
    """How much of the budget is left."""
    made = []
    if record["before"] is not None and record["max_drop"] is not None:
        lost, budget = record["before"] - record["after"], f"{record['max_drop']:g} points"
        used = f"{lost:.2f} of {budget} are used" if lost >= 0 else f"none of {budget}, {-lost:.2f} gained"
        made.append(f"the budget: {used}")
    given = {} if limits is None else limits["given"]
    figures = {} if limits is None else limits["figures"]
    return made + [f"the bound {_used(name, figures[name], bound)}" for name, bound in given.items()]


def _used(name: Objective, figure: float, bound: float) -> str:
    """What a network takes of a bound."""
    of, _, unit = amount(name, bound).partition(" ")
    return f"{UNITS[name][2]}: {amount(name, figure).split()[0]} of {of} {unit}, {100 * figure / bound:.0f} %"
