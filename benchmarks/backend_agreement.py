"""Both back ends step by step on the same operands: ``python -m benchmarks.backend_agreement MODEL... [--level 1]``.

Before each step all memory of the first back end is given to the second, so that what a step makes of its operands is compared,
and not what earlier steps made of theirs. Where floats become codes, one that is rounded otherwise may become the code beside it,
which at the end of a network is seen, and here is not. Shown are the greatest difference of floats, relative to the
greatest of the operand, the worst step, and the integers that differ; the exit code is 1 as for ``benchmarks.backends``.
"""

from __future__ import annotations

import argparse
import ctypes
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.backends import TOLERANCE, both_models, difference
from benchmarks.peers import random_inputs
from edgeopt.frontend import load
from edgeopt.ir import Array, numpy_dtype
from edgeopt.lower.lowering import lower
from edgeopt.lower.program import Place, Step
from edgeopt.lower.table import kernels_for
from edgeopt.pipeline import optimize
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.ports import checked, empty
from edgeopt.target import target

ARENA = 2  # its place among what a step is called with


class Run:
    """A model whose steps run one by one; ``memory`` is its arena and, behind each other, its outputs."""

    def __init__(self, model: CompiledModel, inputs: dict[str, Array]) -> None:
        self.model, self._arrays = model, [np.ascontiguousarray(a) for a in checked(inputs, model.inputs)]
        self._outputs = [empty(port, 1) for port in model.outputs]
        with model.held(self._arrays, self._outputs) as (_, context):
            self._arena = context[ARENA]

    def step(self, number: int, other: Run | None = None) -> None:
        """Run a step, on the memory of ``other`` where one is given."""
        with self.model.held(self._arrays, self._outputs) as (native, context):
            if other is not None:
                for mine, given in zip(self.memory(), other.memory(), strict=True):
                    mine[...] = given
            native.steps(context, number, number + 1)

    def memory(self) -> list[Array]:
        """The bytes of the arena and of each output."""
        place = (ctypes.c_uint8 * self.model.manifest["arena_bytes"]).from_address(self._arena)
        return [np.frombuffer(place, np.uint8), *(output.view(np.uint8).reshape(-1) for output in self._outputs)]

    def operands(self, step: Step) -> Iterator[Array]:
        """What lies in the memory at the places of a step's operands."""
        for place, dtype, size in zip(step.places, step.dtypes, step.sizes, strict=True):
            if place.kind in ("arena", "output"):
                yield self._bytes(place, size).view(numpy_dtype(dtype))

    def _bytes(self, place: Place, size: int) -> Array:
        arena, *outputs = self.memory()
        return arena[place.offset : place.offset + size] if place.kind == "arena" else outputs[place.offset][:size]


def main() -> None:
    """Print a line for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--level", type=int, default=1)
    given, right = parser.parse_args(), True
    for path in given.models:
        worst, differing, where = agreement(path, given.level)
        right &= not differing and worst <= TOLERANCE
        print(f"{path.name}: difference {worst:.1e}, at most in {where}, {differing} integers", flush=True)
    sys.exit(0 if right else 1)


def agreement(path: Path, level: int) -> tuple[float, int, str]:
    """The greatest difference of a step's floats, how many integers differ, and the worst step."""
    models, inputs, host = both_models(path, level, target("host")), random_inputs(path), target("host")
    graph = load(path)
    optimize(graph, level)
    steps = lower(graph, host, "network", kernels_for(level)).native
    if any(step.jump for step in steps):
        raise SystemExit(f"{path.name} branches: its steps cannot be run one after the other")
    one, other = (Run(model, inputs) for model in models)
    found, differing = [(0.0, "none")], 0
    for number, step in enumerate(steps):
        other.step(number, one)
        one.step(number)
        for a, b in zip(one.operands(step), other.operands(step), strict=True):
            if a.dtype.kind == "f":
                found.append((difference(a, b), f"step {number}, {step.call.full_name}"))
            else:
                differing += int((a != b).sum())
    worst, where = max(found, key=lambda each: (np.isnan(each[0]), each[0]))
    return worst, differing, where


if __name__ == "__main__":
    main()
