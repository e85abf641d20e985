"""What the fields of a manifest, each in itself right, have to say about each other."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from edgeopt.runtime.manifest import Manifest
from edgeopt.runtime.manifest_check import INTERFACE, MANIFEST_FIELDS, ROWS, record, require, size

NEEDED = ("weights.bin",)


def check_manifest(manifest: Manifest) -> None:
    """Raise EdgeoptError for a manifest with a field that is missing, of a wrong type, out of range or at odds with another."""
    record(MANIFEST_FIELDS, more=True)(manifest, "")
    _check_interface(manifest)
    _check_files(manifest)
    _check_ports(manifest, "inputs", "input")
    _check_ports(manifest, "outputs", "output")
    _check_ranges(manifest)
    _check_constants(manifest)
    for index, part in enumerate(manifest["parts"]):
        if "node" in part:
            for binding in (*part["inputs"], *part["outputs"]):
                _check_place(binding, manifest, f"parts[{index}]")
            written = [binding["place"][0] for binding in part["outputs"] if binding["place"] is not None]
            require(not set(written) & {"weights", "input"}, f"parts[{index}]", "writes where results do not belong")


def _check_files(manifest: Manifest) -> None:
    sizes = manifest["sizes"]
    require(manifest["checksums"].keys() == sizes.keys(), "sizes", "names other files than the checksums")
    require(all(name in sizes for name in NEEDED), "sizes", f"lacks one of {NEEDED}")
    plain = manifest["storage"]["coding"] == "raw"
    require(not plain or sizes["weights.bin"] == manifest["weights_bytes"], "weights_bytes", "is not the size of weights.bin")
    require(not manifest["fallbacks"] or "model.onnx" in sizes, "sizes", "lacks model.onnx, which host steps are taken from")


def _check_interface(manifest: Manifest) -> None:
    """Inputs and outputs of a C library lie inside its arena."""
    about, ports = manifest.get("interface"), {p["name"]: p for p in (*manifest["inputs"], *manifest["outputs"])}
    if about is None:
        return
    INTERFACE(about, "interface")
    require({*about["offsets"], *about["codes"]} <= ports.keys(), "interface", "names what is no input or output")
    for name, offset in about["offsets"].items():
        held = {**ports[name], **about["codes"].get(name, {})}
        require(offset + size(held) <= manifest["arena_bytes"], "interface", f"has '{name}' beyond the arena")
    if "rows" in about:
        ROWS(about["rows"], "interface.rows")
        whole = [size({**port, **about["codes"].get(port["name"], {})}) for port in manifest["inputs"]]
        require(len(about["rows"]) == 2 and [prod(about["rows"])] == whole, "interface.rows", "is not the input")


def _check_constants(manifest: Manifest) -> None:
    """Each tensor of the ONNX model begins with an entry of the file, or lies in a block of the weights."""
    for index, about in enumerate(manifest["storage"]["constants"]):
        where, block = f"storage.constants[{index}]", about["block"]
        require((block is None) != (about["entry"] is None), where, "lies at two places or at none")
        inside = block is None or (len(block) == 2 and sum(block) <= manifest["weights_bytes"])
        require(inside, where, f"has '{about['name']}' beyond the weights")


def _check_ports(manifest: Manifest, field: str, kind: str) -> None:
    names = [port["name"] for port in manifest[field]]
    require(len(set(names)) == len(names), field, "names one tensor twice")
    for index, port in enumerate(manifest[field]):
        require(port["place"] in (None, [kind, index]), f"{field}[{index}]", f"lies at {port['place']}")


def _check_ranges(manifest: Manifest) -> None:
    """Native steps are run in order, each once."""
    native: Sequence[Manifest] = [part for part in manifest["parts"] if "last" in part]
    at = 0
    for part in native:
        empty = len(manifest["parts"]) == 1 and part["last"] == 0
        require(part["first"] == at and (part["last"] > at or empty), "parts", "leaves steps out or runs them twice")
        at = part["last"]
    require(at == len(manifest["kernels"]), "parts", f"runs {at} steps where there are {len(manifest['kernels'])} kernels")
    require(bool(manifest["parts"]), "parts", "is empty")


def _check_place(binding: Manifest | None, manifest: Manifest, where: str) -> None:
    if binding is None or binding["place"] is None:
        return
    kind, offset = binding["place"]
    if kind in ("arena", "weights"):
        require(offset + size(binding) <= manifest[f"{kind}_bytes"], where, f"has '{binding['name']}' beyond the {kind}")
        return
    ports = manifest[f"{kind}s"]
    require(offset < len(ports) and ports[offset]["place"] is not None, where, f"has '{binding['name']}' at no {kind}")
    same = size(ports[offset]) == size(binding) and ports[offset]["dtype"] == binding["dtype"]
    require(same, where, f"has '{binding['name']}' in a tensor of another size or type")
