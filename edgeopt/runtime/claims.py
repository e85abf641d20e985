"""Shapes that were expected before the model ran, against the shapes that came out."""

from __future__ import annotations

from typing import Any

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, Node, numpy_dtype
from edgeopt.runtime.manifest import Manifest


def require_planned(node: Node, binding: Manifest, result: Array) -> None:
    """Raise EdgeoptError unless the result of a host step is what its place in memory was planned for."""
    wanted, dtype = tuple(binding["shape"]), numpy_dtype(binding["dtype"])
    if result.shape != wanted or result.dtype != dtype:
        made, planned = f"{result.dtype}{list(result.shape)}", f"{dtype}{list(wanted)}"
        raise EdgeoptError(f"{node!r} computed '{binding['name']}' as {made} where {planned} was inferred")


def require_declared(output: Manifest, result: Any) -> None:
    """Raise EdgeoptError when an output whose shape the data decide contradicts what the model declares of it."""
    declared, shape = output.get("declared"), getattr(result, "shape", None)
    if declared is None or shape is None:
        return
    if len(declared) != len(shape) or any(d not in (None, s) for d, s in zip(declared, shape, strict=True)):
        told = ", ".join("?" if d is None else str(d) for d in declared)
        raise EdgeoptError(
            f"output '{output['name']}' came out with the shape {list(shape)}, the model declares [{told}]; "
            "correct the declaration or leave its dimensions open"
        )
