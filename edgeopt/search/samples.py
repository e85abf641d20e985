"""The samples of a search: what calibrates, and what it is verified on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from edgeopt.evaluate.data import RANGES, DataSet, admit, read
from edgeopt.frontend.notes import add_note
from edgeopt.ir import Graph

Data = DataSet | str | Path


def samples(
    graph: Graph, data: Data | None, calibration: Data | None, seed: int = 0, part: float = RANGES
) -> tuple[DataSet | None, DataSet | None]:
    """(what calibrates, what evaluates), of files or as they are; ``part`` of ``data`` calibrates where nothing else does."""
    evaluating, calibrating = _read(data, graph), _read(calibration, graph)
    if evaluating is not None and calibrating is None:
        return evaluating.split(seed, part)
    if evaluating is not None and calibrating is not None:
        if _same(evaluating, calibrating):
            add_note(graph, "the samples that calibrate also judge, so others may lose more: give others or no --calibration")
        calibrating = replace(calibrating, output=evaluating.output)
    return calibrating, evaluating


def _same(one: DataSet, other: DataSet) -> bool:
    return all(name in other.arrays and np.array_equal(array, other.arrays[name]) for name, array in one.arrays.items())


def _read(source: Data | None, graph: Graph) -> DataSet | None:
    if source is None:
        return None
    made = read(source, graph) if isinstance(source, (str, Path)) else admit(source, graph)
    if made.repeated:
        add_note(graph, f"{made.repeated} samples are taken twice to fill the last batch of {next(iter(made.rows.values()))}")
    return made
