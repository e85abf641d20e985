"""What ``edgeopt compile`` says of what it made: notes, layers, sizes, and what the passes did."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeopt.cli.answer import answer
from edgeopt.cli.console import note, print_table, warn
from edgeopt.cli.exits import print_exits

if TYPE_CHECKING:
    from edgeopt.rewrite import Context
    from edgeopt.runtime.manifest import Manifest

LIBRARY = "libmodel.a"


def print_passes(context: Context, explain: bool, time_passes: bool) -> None:
    if explain:
        print_table(("pass", "rewrites"), [(name, n) for name, n in context.fired.items() if n], numbers=(1,))
        print_table(("pass", "left alone", "because"), context.declined)
    if time_passes:
        slowest = sorted(context.seconds.items(), key=lambda item: -item[1])
        rows = [(name, context.fired.get(name, 0), f"{1000 * seconds:.1f}") for name, seconds in slowest]
        print_table(("pass", "rewrites", "ms"), rows, numbers=(1, 2))


def print_notes(lines: Iterable[str]) -> None:
    for line in lines:
        note(f"note: {line}")


def summarise(manifest: Manifest, nodes: int, directory: Path) -> None:
    print_notes(manifest["notes"])
    for fallback in manifest["fallbacks"]:
        warn(f"{fallback['op']} '{fallback['node']}' runs on the host: {fallback['reason']}")
    if islands := manifest["islands"]:
        print_table(("left in float", "operator", "because"), [(i["node"], i["op"], i["reason"]) for i in islands])
    if tuning := manifest.get("tuning"):
        note(f"tuned {tuning['calls']} calls: {tuning['measured']} measured, the others remembered")
    if (backend := manifest.get("backend")) and backend["own"] < backend["steps"]:
        rest = ", ".join(f"{kernel} ({count})" for kernel, count in backend["rest"].items())
        note(f"{backend['name']} wrote {backend['own']} of {backend['steps']} steps; numba's kernels are the others: {rest}")
    if record := manifest.get("quantization"):
        from edgeopt.report.quantization import LAYERS, SUMMARY, layer_rows, summary_rows
        from edgeopt.report.record import summary_of

        print_table(LAYERS, layer_rows(record["layers"]), title=f"layers on {manifest['target']['name']}", numbers=range(2, 6))
        print_table(SUMMARY, summary_rows(summary_of(manifest)), numbers=(1, 2, 3))
    if leaving := manifest.get("exits"):
        print_exits(leaving)
    if hint := _onnx_share(manifest, directory):
        note(hint)
    answer({"output": directory, "nodes": nodes, **_figures(manifest, directory)})
    note(f"wrote {directory}: {nodes} nodes, {_sizes(manifest, directory)}")


def _onnx_share(manifest: Manifest, directory: Path) -> str:
    """What of a compressed artifact is there for its ONNX alone, where that is much."""
    from edgeopt.report.compression import onnx_share
    from edgeopt.runtime.reading import MODEL, WEIGHTS

    model, weights = ((directory / name).stat().st_size if (directory / name).is_file() else 0 for name in (MODEL, WEIGHTS))
    return onnx_share(manifest["storage"]["tensors"], model, weights) if manifest.get("quantization") else ""


def _figures(manifest: Manifest, directory: Path) -> dict[str, Any]:
    """What the answer says of an artifact."""
    sizes = ("source_bytes", "weights_bytes", "arena_bytes", "scratch_bytes")
    kept = ("notes", "fallbacks", "islands", "passes")
    about = {"target": manifest["target"]["name"], "quantization": manifest.get("quantization"), "tuning": manifest.get("tuning")}
    about |= {"backend": manifest.get("backend"), "exits": manifest.get("exits")}
    disk = sum(path.stat().st_size for path in directory.iterdir())
    return {**about, "disk_bytes": disk, **{key: manifest[key] for key in (*sizes, *kept)}}


def _sizes(manifest: Manifest, directory: Path) -> str:
    """Bytes of what runs and of the model, of all files, and in memory; of a C library all files, of which a board takes few."""
    from edgeopt.runtime.object_code import CODE, PACKED_CODE
    from edgeopt.runtime.reading import WEIGHTS

    library, sizes = (directory / LIBRARY).is_file(), {path.name: path.stat().st_size / 1000 for path in directory.iterdir()}
    disk, source = sum(sizes.values()), (manifest["source_bytes"] or 0) / 1000
    runs = sum(sizes.get(name, 0.0) for name in (WEIGHTS, CODE, PACKED_CODE))
    ratio = f" ({runs / source:.2f} times the model's {source:,.1f} kB)" if source else ""
    files = f"{disk:,.1f} kB of files"
    of = f"{files}, sources and archives among them" if library else f"{runs:,.1f} kB of code and weights{ratio}, {files} in all"
    weights = f"in memory weights {manifest['weights_bytes'] / 1000:,.1f} kB"
    return f"{of}; {weights}, {_arena(manifest, library)}"


def _arena(manifest: Manifest, library: bool) -> str:
    """Of a C library the size that its header states, which whoever links it provides; else the scratch of each thread apart."""
    arena, scratch = manifest["arena_bytes"], manifest["scratch_bytes"]
    if library:
        of = f" ({scratch / 1000:,.1f} of them scratch)" if scratch else ""
        return f"ARENA_BYTES {(arena + scratch) / 1000:,.1f} kB{of}"
    return f"arena {arena / 1000:,.1f} kB" + (f", scratch {scratch / 1000:,.1f} kB a thread" if scratch else "")
