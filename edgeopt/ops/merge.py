"""Combining what is known of one type from two sources."""

from __future__ import annotations

from collections.abc import Sequence

from edgeopt.ir import TensorType


def sharper(old: TensorType | None, new: TensorType | None) -> TensorType | None:
    """``new`` where it says more; what it leaves open is kept from ``old`` of the same rank."""
    if new is None or (old is not None and new.shape is None and new.proto is None):
        return old
    if old is None or old.shape is None or new.shape is None or len(old.shape) != len(new.shape):
        return new
    dims = tuple(o if not isinstance(n, int) and o is not None else n for o, n in zip(old.shape, new.shape, strict=True))
    return TensorType(new.dtype, dims)


def merge_types(types: Sequence[TensorType | None]) -> TensorType | None:
    """The type of a value that is one of several: dimensions on which they disagree are open, None without a common type."""
    first = types[0]
    if any(t is None or first is None or t.dtype != first.dtype or t.proto != first.proto for t in types) or first is None:
        return None
    shapes = [t.shape for t in types if t is not None and t.shape is not None]
    if len(shapes) < len(types) or len({len(shape) for shape in shapes}) != 1:
        return TensorType(first.dtype, None, first.proto)
    dims = tuple(column[0] if len(set(column)) == 1 else None for column in zip(*shapes, strict=True))
    return TensorType(first.dtype, dims, first.proto)
