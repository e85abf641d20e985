"""Measured choice between kernels and tilings: every distinct call is timed on this machine, once for all compilations.

What was measured is kept beside the cached objects, one file for each target, version of the kernels and call. Times are those
of one thread, with the operands as warm as a round of the other choices leaves them.
"""

from __future__ import annotations

import ctypes
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgeopt.codegen.build import cache_folder, emit, keep, link, sources
from edgeopt.codegen.capture import digest
from edgeopt.codegen.native import NativeModule
from edgeopt.errors import EdgeoptError
from edgeopt.ir import Graph, Node, numpy_dtype
from edgeopt.kernels.call import Declined, Kernel, KernelCall, Site, Tensor
from edgeopt.lower.emission import Emission
from edgeopt.lower.memory import address, aligned_bytes
from edgeopt.lower.plan import Buffer
from edgeopt.lower.program import Program
from edgeopt.lower.select import candidates
from edgeopt.lower.storage import Storage, Store
from edgeopt.target import Target

ROUNDS = 12  # at least, and for SECONDS
SECONDS = 0.1
GAIN = 0.97  # of the rule's time, below which another choice is believed to be better


@dataclass(frozen=True)
class Choice:
    """A kernel with one of its choices (none: its rule decides) and the seconds it took."""

    kernel: str
    choice: tuple[int, ...]
    seconds: float = 0.0


class Tuner:
    """Makes calls as ``edgeopt.lower.lowering.by_rule`` does, but lets kernels that name choices compete.

    ``calls`` counts the sites it decided, ``measured`` those it had to measure. Raises EdgeoptError for a target whose code
    this machine cannot run.
    """

    def __init__(self, target: Target, table: Sequence[Kernel]) -> None:
        if not target.is_host:
            raise EdgeoptError(f"code for '{target.name}' cannot be timed on this machine; leave --tune out")
        self.target, self.table = target, table
        self.calls = self.measured = 0
        self._decided: tuple[Node, Choice, tuple[KernelCall, ...]] | None = None

    def __call__(self, kernel: Kernel, site: Site) -> tuple[KernelCall, ...]:
        """The calls of ``kernel`` for ``site``. Raises Declined when another kernel that follows in the table was faster."""
        if kernel.choices is None:
            return kernel.select(site)
        if self._decided is None or self._decided[0] is not site.node:
            self._decided = (site.node, *self._decide(site, kernel))
            self.calls += 1
        _, choice, calls = self._decided
        if choice.kernel != kernel.name:
            raise Declined(f"{choice.kernel} was measured to be faster")
        return calls

    def _decide(self, site: Site, first: Kernel) -> tuple[Choice, tuple[KernelCall, ...]]:
        """The fastest choice that serves the site; which do may depend on the values of its constants."""
        rivals = {k.name: k for k in candidates(self.table, site.node) if k.choices is not None and k.layout == first.layout}
        path = self._file(site, sorted(rivals))
        ranking = _remembered(path)
        if ranking is None:
            ranking = self._measure(site, list(rivals.values()))
            self.measured += 1
            keep(path, json.dumps([[c.kernel, c.choice, c.seconds] for c in ranking]).encode())
        for choice in ranking:
            try:
                return choice, rivals[choice.kernel].select(replace(site, choice=choice.choice))
            except Declined:
                continue
        raise Declined("none of its choices serves the node")

    def _file(self, site: Site, rivals: list[str]) -> Path:
        operands = (*site.inputs, *site.outputs)
        tensors = [None if t is None else (t.type.dtype, t.shape, t.layout, t.array is None) for t in operands]
        call = (site.node.domain, site.node.op, sorted(site.node.attributes.items()), tensors, rivals)
        return cache_folder() / "tuning" / f"{digest(sources(), self.target, call)}.json"

    def _measure(self, site: Site, rivals: list[Kernel]) -> list[Choice]:
        """Everything that serves the site, the fastest first; the rule's choice keeps its place unless it is clearly slower."""
        found: dict[tuple[object, ...], tuple[Choice, tuple[KernelCall, ...]]] = {}
        for kernel in rivals:
            for choice in [(), *_choices(kernel, site)]:
                try:
                    calls = kernel.select(replace(site, choice=choice))
                except Declined:
                    continue
                found.setdefault(tuple(c.key for c in calls), (Choice(kernel.name, choice), calls))
        options = list(found.values())
        seconds = measure(site, [calls for _, calls in options], self.target) if len(options) > 1 else [0.0] * len(options)
        timed = [replace(choice, seconds=s) for (choice, _), s in zip(options, seconds, strict=True)]
        return sorted(timed, key=lambda c: c.seconds * (GAIN if c == timed[0] else 1.0))


def _choices(kernel: Kernel, site: Site) -> list[tuple[int, ...]]:
    try:
        return kernel.choices(site) if kernel.choices is not None else []
    except Declined:
        return []


def _remembered(path: Path) -> list[Choice] | None:
    try:
        return [Choice(kernel, tuple(choice), seconds) for kernel, choice, seconds in json.loads(path.read_text())]
    except (OSError, ValueError):
        return None


def measure(site: Site, options: Sequence[tuple[KernelCall, ...]], target: Target) -> list[float]:
    """The least seconds of each option's calls, which take turns on the same operands."""
    program = _program(site, options)
    native = NativeModule(emit(link(program, target), target), program.name, target)
    arena, scratch = aligned_bytes(program.arena_bytes), aligned_bytes(program.scratch_bytes)
    context = (ctypes.c_void_p * 5)(None, None, arena[1], address(program.weights), scratch[1])
    bounds = [sum(len(calls) for calls in options[:i]) for i in range(len(options) + 1)]
    best, end, rounds = [float("inf")] * len(options), time.perf_counter() + SECONDS * len(options), 0
    while rounds < ROUNDS or time.perf_counter() < end:
        for i, (begin, stop) in enumerate(zip(bounds, bounds[1:], strict=False)):
            started = time.perf_counter()
            native.steps(context, begin, stop)
            best[i] = min(best[i], time.perf_counter() - started)
        rounds += 1
    return best


def _program(site: Site, options: Sequence[tuple[KernelCall, ...]]) -> Program:
    emission, graph = Emission(), Graph("tuning")
    inputs = [None if t is None else _storage(site, t) for t in site.inputs]
    outputs = [_storage(site, t) for t in site.outputs]
    for calls in options:
        emission.calls(site.node, calls, inputs, outputs)
    return emission.finish("tuning", Store(graph))


def _storage(site: Site, tensor: Tensor) -> Storage:
    size = tensor.elements * numpy_dtype(tensor.type.dtype).itemsize
    return Storage(site.node.output, tensor, None, Buffer(size, -1, -1) if tensor.array is None else None)
