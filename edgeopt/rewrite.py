"""Pass and its driver: fixed point, one count per rewrite, verification after each pass, provenance, and "why not"."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from edgeopt.ir import Graph, Journal, Node, verify

PROVENANCE = "edgeopt.pass"
ORIGIN = "edgeopt.from"
MAX_SWEEPS = 100
LOGGER = logging.getLogger("edgeopt")


class PassError(RuntimeError):
    """A pass broke a rule of the driver: it reported no change and made one, or it does not come to rest."""


@dataclass
class Context:
    """State of one compilation as the passes see it: the count of rewrites, its limit, and the reasons for declining.

    ``declined`` lists (pass, node, reason) of the last run of each pass, which are the reasons that hold for the final graph.
    ``fired`` and ``seconds`` are totals by pass, ``last`` counts the rewrites of the last run. ``grown`` are the
    bytes by which folded constants are larger than what they were folded from. ``seen`` is for the current pass to note the nodes
    of one sweep by what it looks for; the next sweep starts with none.
    """

    level: int = 1
    stop_after: int | None = None
    count: int = 0
    declined: list[tuple[str, str, str]] = field(default_factory=list)
    fired: dict[str, int] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    grown: int = 0
    seen: dict[tuple[object, ...], list[Node]] = field(default_factory=dict)
    _current: str = ""
    _known: set[tuple[str, str, str]] = field(default_factory=set)

    @property
    def exhausted(self) -> bool:
        """True when ``--stop-after`` has been reached."""
        return self.stop_after is not None and self.count >= self.stop_after

    def decline(self, node: Node, reason: str) -> bool:
        """Record why the current pass leaves ``node`` alone; returns False so that a guard reads ``return decline(...)``."""
        entry = (self._current, repr(node), reason)
        if entry not in self._known:
            self._known.add(entry)
            self.declined.append(entry)
        return False

    def begin(self, name: str) -> None:
        """Start a run of the pass ``name``: its earlier reasons no longer hold."""
        self._current = name
        self.declined[:] = [entry for entry in self.declined if entry[0] != name]
        self._known = set(self.declined)

    def end(self, name: str, fired: int, seconds: float) -> None:
        """Book a run of the pass ``name``."""
        self.last[name] = fired
        self.fired[name] = self.fired.get(name, 0) + fired
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


RewriteFunction = Callable[[Graph, Node, Context], bool]


@dataclass(frozen=True)
class Pass:
    """One rewrite.

    ``rewrite(graph, node, context)`` is called for each node whose operator is in ``roots`` (every node when empty), returns
    True when it changed the graph, and makes at most one change a call. ``contract`` is what the pass promises.
    """

    name: str
    rewrite: RewriteFunction
    roots: tuple[str, ...] = ()
    contract: Literal["exact", "approximate"] = "exact"

    def __call__(self, graph: Graph, context: Context | None = None) -> int:
        """Run this pass alone on ``graph`` to its fixed point; returns the number of rewrites."""
        return run_pass(graph, self, context or Context())


def run_pass(graph: Graph, pass_: Pass, context: Context) -> int:
    """Apply ``pass_`` to its fixed point in ``graph`` and its subgraphs, verify, and return the number of rewrites.

    Raises PassError when the pass does not come to rest or changes a graph without saying so.
    """
    started, before = time.perf_counter(), context.count
    context.begin(pass_.name)
    for _ in range(MAX_SWEEPS):
        if sum([_sweep(inner, pass_, context) for inner in graph.walk()]) == 0:
            break
    else:
        raise PassError(f"pass '{pass_.name}' still rewrites after {MAX_SWEEPS} sweeps")
    fired = context.count - before
    if fired:
        LOGGER.debug("pass %s: %d rewrites", pass_.name, fired)
        verify(graph)
    context.end(pass_.name, fired, time.perf_counter() - started)
    return fired


def run_passes(graph: Graph, passes: Iterable[Pass], context: Context) -> int:
    """Run ``passes`` in order; returns the number of rewrites."""
    return sum([run_pass(graph, pass_, context) for pass_ in passes])


def _sweep(graph: Graph, pass_: Pass, context: Context) -> int:
    fired = 0
    context.seen.clear()
    for node in [node for node in graph.nodes if not pass_.roots or node.op in pass_.roots]:
        if not context.exhausted and node.graph is graph and (not pass_.roots or node.op in pass_.roots):
            fired += _visit(graph, node, pass_, context)
    return fired


def _visit(graph: Graph, node: Node, pass_: Pass, context: Context) -> int:
    version, graph.journal = graph.root.version, Journal()
    try:
        changed, journal = pass_.rewrite(graph, node, context), graph.journal
    finally:
        graph.journal = None
    if changed != (graph.root.version != version):
        made = "made none" if changed else "changed the graph"
        raise PassError(f"pass '{pass_.name}' at {node!r} reported {'a' if changed else 'no'} change but {made}")
    if changed:
        context.count += 1
        _stamp(graph, pass_, journal)
    return int(changed)


def _stamp(graph: Graph, pass_: Pass, journal: Journal) -> None:
    """Note on each new node the pass that made it and the original nodes it stands for."""
    new = [node for node in dict.fromkeys(journal.inserted) if node.graph is graph]
    gone = [node for node in dict.fromkeys(journal.erased) if node.graph is not graph and node not in journal.inserted]
    origins = sorted({name for node in gone for name in node.metadata.get(ORIGIN, node.name).split(",")})
    for node in new:
        if node in journal.erased:  # moved
            continue
        node.metadata.setdefault(PROVENANCE, pass_.name)
        if origins:
            node.metadata.setdefault(ORIGIN, ",".join(origins))
