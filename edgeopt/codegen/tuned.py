"""Measured choice between kernels and tilings: every distinct call is timed on this machine, once for all compilations.

What was measured is kept beside the cached objects, one entry for each target, version of the kernels and set of calls. Times
are those of one thread, with the operands as warm as a round of the other choices leaves them.
"""

from __future__ import annotations

import ctypes
import json
import time
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from edgeopt.cache import keep, read
from edgeopt.codegen.build import emit, link, sources
from edgeopt.codegen.capture import digest
from edgeopt.codegen.identity import identity
from edgeopt.codegen.native import NativeModule
from edgeopt.errors import EdgeoptError
from edgeopt.ir import Graph, Node, numpy_dtype
from edgeopt.kernels.call import Declined, Kernel, KernelCall, Packed, Site, Tensor
from edgeopt.lower.emission import Emission
from edgeopt.lower.memory import address, aligned_bytes
from edgeopt.lower.plan import Buffer
from edgeopt.lower.program import Program
from edgeopt.lower.select import candidates
from edgeopt.lower.storage import Storage, Store
from edgeopt.target import Target

ROUNDS = 12  # at least, and for SECONDS
SECONDS = 0.1
GAIN = 0.97  # of the rule's time, below which another choice is believed to be better; chosen by hand


Options = dict[tuple[str, tuple[int, ...]], tuple[KernelCall, ...]]


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
        if not target.runs_here:
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
        rivals = [k for k in candidates(self.table, site.node) if k.choices is not None and k.layout == first.layout]
        options = _options(site, rivals)
        if not options:
            raise Declined("none of its choices serves the node")
        entry = f"tuning/{digest(sources(), self.target, _sizes(site), *(_described(calls) for calls in options.values()))}.json"
        ranking = _remembered(entry, set(options))
        if ranking is None:
            ranking = _ranked(site, options, self.target)
            self.measured += 1
            keep(entry, json.dumps([[c.kernel, c.choice, c.seconds] for c in ranking]).encode())
        return ranking[0], options[ranking[0].kernel, ranking[0].choice]


def _options(site: Site, rivals: Sequence[Kernel]) -> Options:
    """The calls of all that serves the site, the rule's own first, without those that come to the same functions."""
    found: Options = {}
    known: set[tuple[str, ...]] = set()
    for kernel in rivals:
        for choice in [(), *_choices(kernel, site)]:
            try:
                calls = kernel.select(replace(site, choice=choice))
            except Declined:
                continue
            functions = tuple(identity(c.function) for c in calls)
            if functions not in known:
                known.add(functions)
                found[kernel.name, choice] = calls
    return found


def _ranked(site: Site, options: Options, target: Target) -> list[Choice]:
    """The options, the fastest first; the rule's choice keeps its place unless it is clearly slower."""
    seconds = measure(site, list(options.values()), target) if len(options) > 1 else [0.0]
    timed = [Choice(kernel, choice, s) for (kernel, choice), s in zip(options, seconds, strict=True)]
    return sorted(timed, key=lambda c: c.seconds * (GAIN if c == timed[0] else 1.0))


def _sizes(site: Site) -> object:
    return [None if t is None else (t.type.dtype, t.shape, t.layout, t.array is None) for t in (*site.inputs, *site.outputs)]


def _described(calls: Sequence[KernelCall]) -> object:
    """What decides the time of ``calls``: their code, and the sizes of what is packed for them, which may follow its values."""
    return [
        (
            identity(c.function),
            c.constants,
            c.chunks,
            [(o.array.dtype, o.array.shape) if isinstance(o, Packed) else o for o in c.operands],
        )
        for c in calls
    ]


def _choices(kernel: Kernel, site: Site) -> list[tuple[int, ...]]:
    try:
        return kernel.choices(site) if kernel.choices is not None else []
    except Declined:
        return []


def _remembered(entry: str, known: Set[tuple[str, tuple[int, ...]]]) -> list[Choice] | None:
    """The ranking of exactly the ``known`` options that was measured before; None where there is none to be relied on."""
    try:
        ranking = [
            Choice(kernel, tuple(choice), float(seconds)) for kernel, choice, seconds in json.loads(read(entry) or b"null")
        ]
        return ranking if {(c.kernel, c.choice) for c in ranking} == known else None
    except (ValueError, TypeError):
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
