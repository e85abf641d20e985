"""PRelu and gates inside of convolutions: ``python -m benchmarks.slopes [MODEL...] [--level 1] [--rounds 50] [--threads 1]``.

Each network is compiled with the rewrites that come last and without them. Shown are the nodes of both, and PRelu and Mul among
them, how far the results are apart in shares of their range, and the least milliseconds of runs in turn. Without a MODEL these
are networks of faces with random weights: the first of a cascade of detectors (Zhang and others, Joint Face Detection and
Alignment, 2016), one with depthwise layers (Chen and others, MobileFaceNets, 2018, its first bottlenecks), and pairs of 3x3
windows as in ArcFace (Deng and others, 2019). The exit code is 1 where results are further apart than rounding explains.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from onnx import ModelProto

from benchmarks.peers import random_inputs
from edgeopt.assembly import assemble
from edgeopt.cost.suite import Network
from edgeopt.frontend import load
from edgeopt.ir import Array
from edgeopt.pipeline import finish, optimize
from edgeopt.rewrite import Context
from edgeopt.runtime.model import CompiledModel
from edgeopt.target import target

ROUNDING = 1e-4  # of the range, as models are held to the original
Layer = tuple[int, int, int, int, int]  # channels, outputs, window, stride, groups
DETECTOR: list[Layer] = [(3, 10, 3, 1, 1), (10, 16, 3, 2, 1), (16, 32, 3, 1, 1)]
BOTTLENECKS: list[Layer] = [(3, 64, 3, 2, 1), (64, 64, 3, 1, 64)]
for _stride in (2, 1, 1):
    BOTTLENECKS += [(64, 128, 1, 1, 1), (128, 128, 3, _stride, 128), (128, 64, 1, 1, 0)]
PAIRS: list[Layer] = [(3, 64, 3, 1, 1), *[(64, 64, 3, 1, 1), (64, 64, 3, 2, 0)] * 2]


def network(name: str, size: int, layers: list[Layer]) -> ModelProto:
    """Convolutions of an image of ``size``, each with PRelu but those of 0 groups, which are linear."""
    net = Network(name)
    x = net.input(1, 3, size, size)
    for channels, outputs, window, stride, group in layers:
        weight, pads = net.weight(outputs, channels // max(1, group), window, window), [window // 2] * 4
        x = net.node("Conv", x, weight, net.weight(outputs), strides=[stride] * 2, pads=pads, group=max(1, group))
        x = net.node("PRelu", x, net.weight(outputs, 1, 1)) if group else x
    return net.model()


def pair(model: Path | ModelProto, level: int) -> list[CompiledModel]:
    """``model`` compiled with PRelu and gates apart, then inside of convolutions."""
    made = []
    for whole in (False, True):
        graph, context = load(model), Context(level=level)
        optimize(graph, level, context)
        if whole:
            finish(graph, context)
        made.append(assemble(graph, target("host"), level, context))
    return made


def least(models: list[CompiledModel], inputs: dict[str, Array], rounds: int, threads: int) -> list[float]:
    """The least milliseconds of each of ``models``, run in turn."""
    best = [float("inf")] * len(models)
    for index in list(range(len(models))) * rounds:
        started = time.perf_counter()
        models[index].run(inputs, threads=threads)
        best[index] = min(best[index], 1e3 * (time.perf_counter() - started))
    return best


def row(name: str, models: list[CompiledModel], inputs: dict[str, Array], rounds: int, threads: int) -> bool:
    """Print the line of a network; whether both results are the same up to rounding."""
    results = [model.run(inputs) for model in models]
    off = max(difference(value, results[1][key]) for key, value in results[0].items())
    nodes = [f"{len(m.graph.nodes)} nodes, {' '.join(f'{count(m, op)} {op}' for op in ('PRelu', 'Mul'))}" for m in models]
    apart, inside = least(models, inputs, rounds, threads)
    print(f"{name}: {' -> '.join(nodes)}; results {off:.1e} of their range apart", end="; ")
    print(f"ms {apart:.3f} -> {inside:.3f}, {apart / inside:.3f} times as fast", flush=True)
    return off <= ROUNDING


def count(model: CompiledModel, op: str) -> int:
    """The nodes ``op`` of a model."""
    return sum(node.op == op for node in model.graph.nodes)


def difference(one: Array, other: Array) -> float:
    """The greatest difference of two results, in shares of the range of the first."""
    return float(np.abs(one - other).max() / max(float(np.ptp(one)), 1e-30))


def main() -> None:
    """Print a line for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path)
    for name, default in (("--level", 1), ("--rounds", 50), ("--threads", 1)):
        parser.add_argument(name, type=int, default=default)
    given, right = parser.parse_args(), []
    own = [("detector", 48, DETECTOR), ("bottlenecks", 112, BOTTLENECKS), ("pairs", 56, PAIRS)]
    for path in given.models:
        right.append(row(path.name, pair(path, given.level), random_inputs(path), given.rounds, given.threads))
    for name, size, layers in own if not given.models else ():
        x = np.random.default_rng(0).normal(size=(1, 3, size, size)).astype(np.float32)
        right.append(row(name, pair(network(name, size, layers), given.level), {"x0": x}, given.rounds, given.threads))
    sys.exit(0 if all(right) else 1)


if __name__ == "__main__":
    main()
