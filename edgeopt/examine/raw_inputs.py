"""Runs an original network on the raw inputs of a model that prepares them itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeopt.examine.originals import Runner
from edgeopt.frontend.preparation import Preparation, prepared
from edgeopt.ir import Array
from edgeopt.runtime.manifest import Manifest


def on_raw_inputs(runner: Runner, manifest: Manifest) -> Runner:
    """``runner`` for what the compiled model takes: the same where that prepares nothing."""
    record: Mapping[str, Any] | None = manifest.get("preparation")
    if not record:
        return runner
    wanted = {name: _preparation(about) for name, about in record.items()}
    shapes = {port["name"]: tuple(port["shape"]) for port in manifest["inputs"]}
    shapes |= {name: tuple(about["shape"]) for name, about in record.items()}

    def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
        return runner(prepared(wanted, shapes, inputs))

    return run


def _preparation(about: Mapping[str, Any]) -> Preparation:
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in about.items() if key != "shape"
    }
    return Preparation(**fields)
