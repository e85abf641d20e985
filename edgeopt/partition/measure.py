"""The times of a graph's layers on this machine."""

from __future__ import annotations

from time import perf_counter

from edgeopt.assembly import assemble
from edgeopt.errors import EdgeoptError
from edgeopt.examine.samples import random_inputs
from edgeopt.ir import Graph
from edgeopt.partition.profile import LayerTime, work
from edgeopt.runtime.step_clock import StepClock
from edgeopt.target import host

FEWEST = 5  # runs, however long they take


def measure(graph: Graph, level: int = 1, seconds: float = 2.0) -> list[LayerTime]:
    """The least time of each node of ``graph`` over runs of about ``seconds`` in all, on one thread and random inputs.

    Raises EdgeoptError for a graph with inputs of unknown shape, or nodes that run on the host.
    """
    model = assemble(graph, host(), level)
    if model.manifest["fallbacks"]:
        first = model.manifest["fallbacks"][0]
        raise EdgeoptError(f"{first['op']} '{first['node']}' has no kernel here, so layers cannot be timed one by one")
    types = {value.name: value.type for value in graph.inputs if value.type is not None}
    clock, end = StepClock(model, random_inputs(types, 1, 0, {})[0]), perf_counter() + seconds
    runs = 0
    while runs < FEWEST or perf_counter() < end:
        clock.sample()
        runs += 1
    least: dict[str, float] = {}
    for kernel, time in zip(model.manifest["kernels"], clock.seconds(), strict=True):
        least[kernel["node"]] = least.get(kernel["node"], 0.0) + time
    return [LayerTime(node.name, node.op, *work(node), least[node.name]) for node in graph.nodes if node.name in least]
