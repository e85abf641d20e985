"""What the page of a compiled model shows, as JSON: ``report.json``, of which alone the page is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from edgeopt.report.stored import stored_by_layer

VERSION = 1  # of report.schema.json
KEPT = ("model", "level", "passes", "islands", "fallbacks", "notes")
MEMORY = ("weights_bytes", "arena_bytes", "scratch_bytes")
FLOAT, RESULT = "float32", "result"

Manifest = Mapping[str, Any]
Record = dict[str, Any]


def report_of(manifest: Manifest) -> Record:
    """The record of a manifest: what was decided, what each layer costs before and after, which kernels run."""
    target, decided = manifest["target"], manifest.get("quantization")
    stored = stored_by_layer(manifest)
    sizes = {key: manifest[key] for key in MEMORY}
    return {
        "report": VERSION,
        "kind": "model",
        **{key: manifest[key] for key in KEPT},
        "source_file": manifest.get("source_file"),
        "target": {"name": target["name"], "about": target.get("description") or target["triple"]},
        "summary": summary_of(manifest),
        "layers": [{**layer, "stored_bytes": stored.get(layer["layer"])} for layer in (decided or {}).get("layers", ())],
        "tried": (decided or {}).get("tried", []),
        "exits": manifest.get("exits"),
        "memory": {"source_bytes": manifest.get("source_bytes"), "stored_bytes": _stored(manifest), **sizes},
        "buffers": manifest.get("buffers") or [],
        "steps": len(manifest["kernels"]),
        "nodes": manifest.get("nodes") or [],
        "kernels": _kernels(manifest),
    }


def summary_of(manifest: Manifest) -> Record:
    """The network before and after; null is what was not measured, or not estimated."""
    decided, work = manifest.get("quantization"), manifest.get("work") or {}
    sides = {side: {"nodes": None, "macs": None, **(work.get(side) or {})} for side in ("before", "after")}
    if decided is None:
        return sides
    for side, name in (("before", FLOAT), ("after", RESULT)):
        total = decided["totals"][name]
        costs = {key: total[key] for key in ("seconds", "weights", "ram")}
        sides[side] |= {"right": decided[side], **costs, "joule": total.get("joule") or None}
    sides["before"]["stored"], sides["after"]["stored"] = decided["source_weights"] or None, _stored(manifest) or None
    about = {key: decided[key] for key in ("scheme", "metric", "samples", "max_drop", "agreement")}
    about |= {"reach": decided.get("reach"), "held": decided.get("held"), "measured": decided["totals"][RESULT]["measured"]}
    limits = manifest.get("limits") or {"given": {}}
    about["bounds"] = {name: {"bound": bound, "takes": limits["figures"][name]} for name, bound in limits["given"].items()}
    return {**about, **sides}


def _stored(manifest: Manifest) -> int:
    return sum(tensor["stored"] for tensor in manifest["storage"]["tensors"])


def _kernels(manifest: Manifest) -> list[Record]:
    """How often each kernel runs, most often first."""
    counts = Counter((k["kernel"], k["op"]) for k in manifest["kernels"])
    return [{"kernel": kernel, "op": op, "calls": calls} for (kernel, op), calls in counts.most_common()]
