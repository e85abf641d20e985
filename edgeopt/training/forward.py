"""Runs of a graph in training: mapped over the calls of a batch, with the changes that a phase makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from edgeopt.evaluate.data import DataSet
from edgeopt.ir import Array, Graph
from edgeopt.training import batch_norm
from edgeopt.training.batches import calls
from edgeopt.training.network import Hooks, run
from edgeopt.training.operators.definition import Traced
from edgeopt.training.phase import Phase, State

AT_ONCE = 64  # calls that are only run
Feed = Mapping[str, Any]


def forward(
    graph: Graph, names: Sequence[str], phase: Phase, state: State, feed: Feed
) -> tuple[list[Traced], batch_norm.Statistics]:
    """The values ``names`` of all calls, and the statistics of the layers that are normalised meanwhile."""
    seen: batch_norm.Statistics = {}
    hooks = Hooks(phase.constants(state), phase.rounded(state), batch_norm.normalizing(state.trained, seen))

    def one(arrays: Feed) -> tuple[list[Traced], batch_norm.Statistics]:
        seen.clear()
        return run(graph, arrays, names, hooks), dict(seen)

    made: tuple[list[Traced], batch_norm.Statistics] = jax.vmap(one, out_axes=(0, None), axis_name=batch_norm.CALLS)(dict(feed))
    return made


def feeds(data: DataSet, graph: Graph, most: int | None = None) -> Iterator[dict[str, Array]]:
    """Calls of ``data``, some at a time; ``most`` of these."""
    starts = range(0, len(data), AT_ONCE)
    for start in starts if most is None else starts[:most]:
        yield calls(data.take(slice(start, start + AT_ONCE)).arrays, graph)


def as_it_is(graph: Graph, names: Sequence[str]) -> Callable[[Feed], list[Traced]]:
    """The values ``names`` of the graph as it is, of all calls in a feed."""
    made: Callable[[Feed], list[Traced]] = jax.jit(jax.vmap(lambda feed: run(graph, feed, names, Hooks({}))))
    return made


def values(graph: Graph, names: Sequence[str], data: DataSet) -> list[Array]:
    """The values ``names`` of the graph as it is, on all calls."""
    made = as_it_is(graph, names)
    parts = [[np.asarray(a) for a in made(feed)] for feed in feeds(data, graph)]
    return [np.concatenate(some) for some in zip(*parts, strict=True)]


def mean_statistics(
    made: Callable[[Feed], Mapping[str, tuple[Traced, Traced]]], parts: Sequence[Feed]
) -> dict[str, tuple[Array, Array]]:
    """Mean and mean square of each channel over all ``parts``, weighted by their calls."""
    sizes = [len(next(iter(part.values()))) for part in parts]
    found = [made(part) for part in parts]
    return {name: _weighted([f[name] for f in found], sizes) for name in found[0]}


def _weighted(pairs: Sequence[tuple[Traced, Traced]], sizes: Sequence[int]) -> tuple[Array, Array]:
    first, second = (np.average([np.asarray(p[i], np.float64) for p in pairs], axis=0, weights=sizes) for i in (0, 1))
    return first, second
