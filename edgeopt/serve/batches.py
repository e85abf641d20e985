"""Requests for one model that arrived together, run in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.serve.answers import Asked
from edgeopt.serve.served import Served, Signature

Result = Mapping[str, Array] | EdgeoptError


def run_together(asked: Sequence[Asked], batches: int) -> list[Result]:
    """The outputs of each request, or why there are none; those of one model share a call of at most ``batches`` batches."""
    found: list[Result] = [EdgeoptError("not run")] * len(asked)
    for group in _groups(asked, batches):
        results = _run([asked[index] for index in group])
        for index, result in zip(group, results, strict=True):
            found[index] = result
    return found


def _groups(asked: Sequence[Asked], batches: int) -> list[list[int]]:
    """Places of requests that can share a call, in order."""
    groups: dict[str, list[list[int]]] = {}
    for index, one in enumerate(asked):
        open_ = groups.setdefault(one.name, [])
        together = _joins(one.model) and open_ and _count(one) + sum(_count(asked[i]) for i in open_[-1]) <= batches
        if together:
            open_[-1].append(index)
        else:
            open_.append([index])
    return [group for found in groups.values() for group in found]


def _joins(model: Served) -> bool:
    """Whether samples lie along the first axis of all that goes in and comes out."""
    ports: Sequence[Signature] = (*model.inputs, *model.outputs)
    return bool(model.inputs) and all(port.shape and port.shape[0] for port in ports)


def _count(one: Asked) -> int:
    port = one.model.inputs[0]
    return len(one.inputs[port.name]) // port.shape[0] if port.shape and port.shape[0] else 1


def _run(group: Sequence[Asked]) -> list[Result]:
    model = group[0].model
    deadlines = [one.deadline for one in group if one.deadline is not None]
    try:
        if len(group) == 1:
            return [model.run(group[0].inputs, group[0].deadline)]
        joined = {port.name: np.concatenate([one.inputs[port.name] for one in group]) for port in model.inputs}
        made = model.run(joined, max(deadlines) if len(deadlines) == len(group) else None)
    except EdgeoptError as error:
        return [error] if len(group) == 1 else [result for one in group for result in _run([one])]
    ends = np.cumsum([_count(one) for one in group])[:-1]
    parts = {port.name: np.split(made[port.name], ends * port.shape[0]) for port in model.outputs}
    return [{name: parts[name][index] for name in parts} for index in range(len(group))]
