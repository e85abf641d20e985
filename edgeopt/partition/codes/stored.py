"""Codes on disk: one npz file each, which every tier of a plan has; read without trusting it."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from edgeopt import npz
from edgeopt.coding.contexts import LEVELS, MOST_SYMBOLS, SIZE, Tables
from edgeopt.errors import EdgeoptError
from edgeopt.files import read_regular
from edgeopt.ir import Array
from edgeopt.partition.codes.code import BoundaryCode, Code, Transform
from edgeopt.partition.codes.layout import Layout
from edgeopt.partition.codes.picture import Grid, Jpeg, Raw

LIMIT = 64 << 20  # bytes of a file


def write(path: Path, code: BoundaryCode) -> dict[str, Any]:
    """Write ``code`` and return what ``read`` wants to know of it besides the file, as JSON: its name, layout and digest."""
    if isinstance(code, Code):
        arrays, layout = _arrays(code), code.transform.layout
        record: dict[str, Any] = {
            "kind": "steps",
            "transform": code.transform.name,
            "step_name": code.step_name,
            "folded": code.folded,
        }
    elif isinstance(code, (Raw, Jpeg)):
        layout, arrays = code.grid.layout, {"step": code.grid.step, "offset": code.grid.offset}
        record = {"kind": "jpeg", "quality": code.quality} if isinstance(code, Jpeg) else {"kind": "bytes"}
    else:
        raise EdgeoptError(f"the code '{code.name}' cannot be stored")
    npz.write(path, arrays)
    digest = zlib.crc32(path.read_bytes())
    return {"name": code.name, **record, "shape": list(layout.shape), "axis": layout.axis, "digest": digest, "file": path.name}


def read(folder: Path, record: dict[str, Any]) -> BoundaryCode:
    """The code that was written into ``folder``. Raises EdgeoptError for a file that is damaged, or is not what it should be."""
    path = folder / Path(str(record["file"])).name
    if zlib.crc32(read_regular(path, LIMIT)) != record["digest"]:
        raise EdgeoptError(f"'{path}' differs from what the plan says; write the plan again")
    axis = record["axis"]
    layout = Layout(tuple(int(d) for d in record["shape"]), None if axis is None else int(axis))
    try:
        return _made(path, record, layout)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise EdgeoptError(f"'{path}' is no code of a tensor ({error}); write the plan again") from error


def _made(path: Path, record: dict[str, Any], layout: Layout) -> BoundaryCode:
    if record["kind"] == "steps":
        return _steps(path, record, layout)
    found = npz.read(path, ["step", "offset"])
    _require(all(a.shape == (layout.channels,) and a.dtype == np.float32 and np.isfinite(a).all() for a in found.values()))
    grid = Grid(layout, found["step"], found["offset"])
    return Jpeg(grid, int(record["quality"])) if record["kind"] == "jpeg" else Raw(grid)


def _arrays(code: Code) -> dict[str, Array]:
    transform, tables = code.transform, code.tables
    found = {"mean": transform.mean, "step": np.array(code.step), "low": code.low, "values": code.values}
    if transform.forward is not None and transform.backward is not None:
        found |= {"forward": transform.forward, "backward": transform.backward}
    return {**found, "frequencies": tables.frequencies.astype(np.int16), "groups": tables.groups.astype(np.uint8)}


def _steps(path: Path, record: dict[str, Any], layout: Layout) -> Code:
    found = npz.read(path, ["mean", "step", "low", "values", "frequencies", "groups"], lambda n: n in ("forward", "backward"))
    mean, low, values = found["mean"].astype(np.float32), found["low"].astype(np.int64), found["values"].astype(np.float32)
    frequencies, groups = found["frequencies"].astype(np.int64), found["groups"].astype(np.int64)
    forward, backward = found.get("forward"), found.get("backward")
    components = layout.channels if forward is None else len(forward)
    _require(mean.shape == (layout.channels,) and (forward is None) == (backward is None))
    if forward is not None and backward is not None:
        _require(forward.shape == (components, layout.channels) and backward.shape == forward.shape[::-1])
    _check_tables(frequencies, groups, low, values, components)
    tables = Tables(frequencies, groups, -low)
    transform = Transform(str(record["transform"]), layout, mean, forward, backward)
    step = float(found["step"])
    _require(np.isfinite(step) and step > 0)
    return Code(transform, str(record["step_name"]), step, low, values, tables, record.get("folded", False) is True)


def _check_tables(frequencies: Array, groups: Array, low: Array, values: Array, components: int) -> None:
    """What a coder relies on: rows that fill their table, symbols without gaps, groups that exist, a symbol for zero."""
    count = len(low)
    _require(frequencies.ndim == 3 and frequencies.shape[:2] == (count, LEVELS) and 0 < frequencies.shape[2] <= MOST_SYMBOLS)
    _require(
        values.shape == (count, frequencies.shape[2])
        and groups.shape == (components,)
        and groups.min() >= 0
        and groups.max() < count
    )
    used = np.count_nonzero(frequencies, axis=2)
    _require(bool((frequencies >= 0).all() and (frequencies.sum(axis=2) == SIZE).all() and (used == used[:, :1]).all()))
    _require(all((frequencies[g, :, : used[g, 0]] > 0).all() for g in range(count)))
    _require(bool(((-low >= 0) & (-low < used[:, 0])).all()))


def _require(holds: bool) -> None:
    if not holds:
        raise ValueError("its arrays do not fit together")
