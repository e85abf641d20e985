"""Whole networks whose weights have random blocks of zeros, against the same networks without zeros and onnxruntime."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from benchmarks.lookup_layers import BURST, PASSES, Timing, Way
from benchmarks.peers import random_inputs
from benchmarks.sparse_layers import Pattern, masked
from edgeopt.assembly import assemble
from edgeopt.examine.engines import Inference, onnxruntime
from edgeopt.forms.sparse import BLOCKS
from edgeopt.frontend import load
from edgeopt.ir import Array, Graph
from edgeopt.ops.sparse import DENSE, STORAGE, outputs_first
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context
from edgeopt.search.sparsity import sparsify
from edgeopt.target import Target

LEVEL = 2
FEW = 16  # inputs below which a layer (the first one, depthwise ones) keeps all its weights


def put_zeros(graph: Graph, pattern: Pattern, only_pointwise: bool) -> tuple[int, int]:
    """Set blocks of the layers of ``graph`` to zero; returns how many of how many weights are left."""
    left = total = 0
    for seed, node in enumerate(graph.nodes):
        index = STORAGE[DENSE[node.op]].data if node.is_own(*BLOCKS) else 0
        weight = node.constant(index) if index else None
        if weight is None:
            continue
        shape = outputs_first(node, weight).shape
        if shape[1] >= FEW and not (only_pointwise and np.prod(shape[2:]) != 1):
            weight = masked(weight, pattern, node.op.endswith("Gemm"), seed)
            node.set_input(index, graph.constant(f"{node.name}.masked", weight))
        left, total = left + int(np.count_nonzero(weight)), total + weight.size
    return left, total


def measure_network(
    path: Path, pattern: Pattern, only_pointwise: bool, target: Target, seconds: float, peers: dict[str, Path]
) -> Timing:
    """The least microseconds of a network, dense and with zeros, and of ``peers``: files that onnxruntime runs."""
    inputs, made = random_inputs(path), Timing(path.stem)
    dense = load(path)
    optimize(dense, LEVEL)
    every: dict[str, Way] = {"dense": _whole(dense, target, inputs)}
    sparse = load(path)
    optimize(sparse, LEVEL)
    left, total = put_zeros(sparse, pattern, only_pointwise)
    context = Context(level=LEVEL)
    sparsify(sparse, target, context)
    print(f"{path.stem}: {left / total:.1%} of the weights are left; {context.fired.get('sparsify', 0)} layers are sparse")
    for pass_, node, reason in context.declined:
        print(f"  {pass_}: {node}: {reason}")
    every[f"{pattern.name}"] = _whole(sparse, target, inputs)
    every |= {name: _timed(onnxruntime(file, inputs, 1)) for name, file in peers.items()}
    made.hot = dict.fromkeys(every, float("inf"))
    for _ in range(max(1, round(seconds / BURST))):
        for name, run in every.items():
            made.hot[name] = min(made.hot[name], 1e6 * run(PASSES))
    return made


def _whole(graph: Graph, target: Target, inputs: dict[str, Array]) -> Way:
    model = assemble(graph, target, LEVEL)
    return _timed(lambda: list(model.run(inputs).values()))


def _timed(run: Inference) -> Way:
    def least(repeats: int) -> float:
        times = []
        for _ in range(repeats):
            started = time.perf_counter()
            run()
            times.append(time.perf_counter() - started)
        return min(times)

    return least
