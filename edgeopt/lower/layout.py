"""What native code takes for granted about the memory it is given, as plain data: for the manifest and for the code itself.

The code carries the digest of this, so that a manifest that says anything else is noticed before the code is called with blocks
that are too small.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from edgeopt.lower.program import Binding, HostStep, Program

Layout = dict[str, Any]
PORTS = ("inputs", "outputs")
BINDING = ("name", "dtype", "shape", "place")
FIELDS = ("name", *PORTS, "arena_bytes", "scratch_bytes", "weights_bytes", "parts")


def layout(program: Program) -> Layout:
    """Ports, bytes of memory, and the parts to run in order: ranges of native steps and single host steps."""
    return {
        "name": program.name,
        "inputs": [_binding(b) for b in program.inputs],
        "outputs": [_binding(b) for b in program.outputs],
        "arena_bytes": program.arena_bytes,
        "scratch_bytes": program.scratch_bytes,
        "weights_bytes": program.weights_bytes,
        "parts": _parts(program),
    }


def layout_digest(facts: Mapping[str, Any]) -> bytes:
    """The 32 bytes that stand for the layout in ``facts``, which may hold more than the layout."""
    content = {field: facts[field] for field in FIELDS}
    content |= {field: [{key: port[key] for key in BINDING} for port in facts[field]] for field in PORTS}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()


def _parts(program: Program) -> list[Layout]:
    parts: list[Layout] = []
    native = 0
    for step in program.steps:
        if isinstance(step, HostStep):
            inputs = [None if b is None else _binding(b) for b in step.inputs]
            parts.append({"node": step.node.name, "inputs": inputs, "outputs": [_binding(b) for b in step.outputs]})
            continue
        if not parts or "last" not in parts[-1]:
            parts.append({"first": native, "last": native})
        native += 1
        parts[-1]["last"] = native
    return parts or [{"first": 0, "last": 0}]


def _binding(binding: Binding) -> Layout:
    type_ = binding.type
    place = None if binding.place is None else [binding.place.kind, binding.place.offset]
    shape = [int(d) for d in type_.dims] if type_ is not None and type_.static else None
    return {"name": binding.name, "dtype": type_.dtype if type_ is not None else "", "shape": shape, "place": place}
