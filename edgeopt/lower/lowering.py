"""Lowering: a Graph becomes a Program. Each node gets a kernel, each value storage, each buffer an offset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Graph, Node, Value
from edgeopt.ir.clone import clone
from edgeopt.ir.match import outer_values
from edgeopt.kernels.call import PLAIN, Declined, Kernel, KernelCall, Layout, Site
from edgeopt.kernels.move.relayout import fill_halo, to_blocked, to_plain
from edgeopt.lower.control import CONTROL, lower_control
from edgeopt.lower.emission import Emission
from edgeopt.lower.finishing import finish_output
from edgeopt.lower.joining import blocked_layouts, first_channel, joined
from edgeopt.lower.last import in_one_order, turned_storage
from edgeopt.lower.ports import CALLERS, Interface, code_ports, describe_ports, left_in_float
from edgeopt.lower.program import Program
from edgeopt.lower.regions import Region, regions
from edgeopt.lower.select import can_block, candidates, hollow, reads_blocked, suits
from edgeopt.lower.storage import Storage, Store, on_host_only
from edgeopt.lower.table import TABLE
from edgeopt.ops.contracts import misfit, require_fit
from edgeopt.ops.macs import macs
from edgeopt.target import Target

Selection = Callable[[Kernel, Site], tuple[KernelCall, ...]]
NOTED = 100_000  # multiply-accumulates from which a slow product is worth a note
VIEWS = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout")


def by_rule(kernel: Kernel, site: Site) -> tuple[KernelCall, ...]:
    """The calls that the kernel's own rule chooses."""
    return kernel.select(site)


def lower(
    graph: Graph,
    target: Target,
    name: str = "model",
    table: Sequence[Kernel] = TABLE,
    select: Selection = by_rule,
    interface: Interface = CALLERS,
) -> Program:
    """The Program of ``graph`` for ``target``; ``select`` makes the calls of a kernel for a site, or raises Declined.

    ``interface`` says where inputs and outputs lie, and whether they are codes in the place of the graph's floats.

    Raises EdgeoptError for a graph input without a static shape, for a node whose operands break its operator's contract, and,
    when ``target`` is not the host, for the nodes that no kernel serves (all of them in one message).
    """
    require_fit(graph.nodes)
    graph = clone(graph) if interface.codes else graph
    codes = code_ports(graph) if interface.codes else {}
    program = Lowering(graph, target, table, select, interface.arena).program(name)
    describe_ports(program, graph, codes)
    program.notes += left_in_float(graph) if interface.codes else []
    return program


class Lowering:
    """State of one lowering: what is emitted so far, and where each value lies in each layout."""

    def __init__(self, graph: Graph, target: Target, table: Sequence[Kernel], select: Selection, in_arena: bool) -> None:
        self.graph, self.target, self.table, self.select = graph, target, table, select
        self.emission, self.store, self.depth = Emission(), Store(graph, in_arena), 0
        self.notes: list[str] = []
        self.layouts: dict[Value, Layout] = {}
        self.brought: set[tuple[Value, Value]] = set()  # values that were copied into a concatenation

    def program(self, name: str) -> Program:
        """Lower every node, then plan the memory. What lies in the arena when the code is called is kept until it is read."""
        for value in self.graph.inputs if self.store.in_arena else ():
            if (storage := self.store.get(value, plain=True)) is not None:
                self.emission.keep(storage)
        for node in self.graph.nodes:
            self.lower_node(node)
        for index, value in enumerate(self.graph.outputs):
            finish_output(self, index, value)
        program = self.emission.finish(name, self.store)
        program.notes.extend(self.notes)
        if program.fallbacks and not self.target.runs_here:
            raise EdgeoptError(program.missing(self.target.name))
        return program

    def lower_node(self, node: Node) -> None:
        reasons = [] if all(_servable(v) for v in [*node.inputs, *node.outputs]) else ["a shape is not static"]
        if not reasons and (self._view(node) or self._cut(node) or self._joined(node) or self._nothing(node)):
            return
        reasons += ["an operand is empty"] if not reasons and hollow(node) else []
        for name, serve in [] if reasons else self._forms(node):
            try:
                serve()
            except Declined as reason:
                reasons.append(f"{name}: {reason}")
                continue
            return self._note(node, name, reasons)
        self._host(node, "; ".join(reasons) or "no kernel for this operator")

    def _note(self, node: Node, name: str, reasons: list[str]) -> None:
        """Say why a product of some work is left to a kernel that computes by definition."""
        slow = any(k.by_definition for k in self.table if k.name == name)
        if slow and reasons and (macs(node) or 0) >= NOTED:
            self.notes.append(f"{node!r} runs by its definition ({name}), slowly; " + "; ".join(reasons))

    def _forms(self, node: Node) -> list[tuple[str, Callable[[], None]]]:
        """What may serve a node, by name, in order; each raises Declined before anything is emitted."""
        if node.op in CONTROL and not node.domain:
            return [("steps with jumps", partial(lower_control, self, node))]
        return [(k.name, partial(self._serve, node, k)) for k in candidates(self.table, node) if suits(k, node, self.target)]

    def _view(self, node: Node) -> bool:
        """A reshaping of plain storage needs no code: the output is another name of the input."""
        source = node.input(0)
        others_used = any(out.uses or self.graph.is_output(out) for out in node.outputs[1:])
        if self.store.also(node.output, turned_storage(node, self.store, self.target, self._read)) is not None:
            return True
        if not node.is_op(*VIEWS) or source is None or others_used or self.graph.is_output(node.output):
            return False
        storage = self._read(source, node, plain=True)
        assert node.output.type is not None
        self.store.put(node.output, storage.viewed(node.output.type))
        return True

    def _nothing(self, node: Node) -> bool:
        """A node whose results have no elements needs no code: a batch of none, a window larger than its input."""
        if any(out.type is not None and 0 not in out.type.dims for out in node.outputs if out.name):
            return False
        for value in node.outputs:
            self.store.put(value, self.store.new(value, PLAIN))
        return True

    def _cut(self, node: Node) -> bool:
        """A Slice or Split whose parts lie in one piece needs no code: they are other names of memory inside its input."""
        found = regions(node)
        made = [(r.part, [s for s in (self._piece(r, plain) for plain in (True, False)) if s is not None]) for r in found]
        if not made or not all(pieces for _, pieces in made) or any(self.graph.is_output(part) for part, _ in made):
            return False
        for part, pieces in made:
            for piece in pieces:
                self.store.put(part, piece)
        return True

    def _piece(self, region: Region, plain: bool) -> Storage | None:
        """Storage of a part inside that of its source in one layout, where there is one in the arena."""
        source = None if region.source.is_constant else self.store.get(region.source, plain)
        if source is None or source.buffer is None or not (plain or region.whole_blocks(source.tensor.layout.block)):
            return None
        return source.part(region.part, region.skipped if plain else region.start * source.tensor.plane)

    def _joined(self, node: Node) -> bool:
        """A concatenation whose parts lie in their channels of its output already needs no code; others are brought there."""
        outer = joined(self.table, node.output, self.target) if node.is_op("Concat") else None
        whole = self.store.get(outer, plain=False) if outer is not None else None
        if outer is None or whole is None:
            return False
        places = {v: self._part(v, outer, whole.tensor.layout) for v in node.inputs if v is not None}
        away = [v for v, place in places.items() if (v, outer) not in self.brought and not place.holds(self.store.get(v, False))]
        if len(away) == len(node.inputs):
            if outer is node.output:
                self.store.forget_blocked(outer)  # no part lies there, so that nothing is gained
            return False
        for value in away:
            self._bring(node, value, places[value])
        self.brought |= {(v, outer) for v in away if not self.depth}  # a branch may not run
        if outer is not node.output:
            self.store.put(node.output, whole.part(node.output, 0))
        return True

    def _part(self, value: Value, whole: Value, layout: Layout) -> Storage:
        return self.store.part(value, whole, layout, first_channel(value, whole))

    def _bring(self, node: Node, value: Value, made: Storage) -> None:
        """Copy a value to a blocked storage, as it lies where it has the same layout."""
        source = self.store.get(value, plain=False)
        if source is not None and source.tensor.layout == made.tensor.layout:
            return self.emission.calls(node, self.copy(node, source, made), [source], [made])
        source = self._read(value, node, plain=True)
        self.emission.calls(node, (to_blocked(source.tensor, made.tensor, self.target),), [source], [made])
        self._fill(node, made)

    def _serve(self, node: Node, kernel: Kernel) -> None:
        """Emit the kernel's calls; raises Declined before anything is emitted."""
        if kernel.layout == "blocked" and not self._wants_blocked(node, kernel):
            raise Declined("its inputs lie plain")
        inputs = [self._shape_of(kernel, v) for v in node.inputs]
        outputs = [self._new(kernel, out) for out in node.outputs]
        tensors = tuple(s.tensor if s is not None else None for s in inputs)
        calls = self.select(kernel, Site(node, tensors, tuple(s.tensor for s in outputs), self.target))
        actual = [None if v is None else self._read(v, node, plain=not s.blocked) for v, s in _pairs(node, inputs)]
        if any(s.tensor.elements for s in outputs):
            self.emission.calls(node, calls, actual, outputs)
        for value, storage in zip(node.outputs, outputs, strict=True):
            self._fill(node, storage)
            self.store.put(value, storage)

    def _wants_blocked(self, node: Node, kernel: Kernel) -> bool:
        first = next((v for v in node.inputs if v is not None and not v.is_constant), None)
        numbers = [o for o in node.outputs[1:] if o.type is not None and o.type.dims == ()]  # a grid that is found on the way
        if first is None or not can_block(first.type) or not all(can_block(o.type) for o in node.outputs if o not in numbers):
            return False
        return kernel.hot or any(v is not None and self.store.has_blocked(v) for v in node.inputs)

    def _shape_of(self, kernel: Kernel, value: Value | None) -> Storage | None:
        """The storage input ``index`` will have; a copy in another layout is made only once the kernel has accepted."""
        if value is None:
            return None
        layout = self._blocked(value) if reads_blocked(kernel, value) else PLAIN
        return self.store.sketch(value, layout)

    def _blocked(self, value: Value) -> Layout:
        """The blocked layout of ``value``, found once: all its readers have a say in it."""
        if value not in self.layouts:
            self.layouts |= blocked_layouts(self.table, value, self.target)
        return self.layouts[value]

    def _new(self, kernel: Kernel, value: Value) -> Storage:
        blocked = kernel.layout in ("blocked", "stem") and can_block(value.type)
        layout = self._blocked(value) if blocked else PLAIN
        whole = joined(self.table, value, self.target) if blocked else None
        if whole is not None and whole is not value:
            return self._part(value, whole, layout)
        return self.store.new(value, layout)

    def _read(self, value: Value, node: Node, plain: bool) -> Storage:
        """Storage of ``value`` in the wanted layout; a conversion is emitted at the first request."""
        found = self.store.get(value, plain)
        if found is not None:
            return found
        source = self.store.get(value, not plain)
        if source is None:
            raise EdgeoptError(f"{node!r} reads '{value.name}', which only exists on the host")
        layout = PLAIN if plain else self._blocked(value)
        if (same := self.store.also(value, in_one_order(source, layout))) is not None:
            return same
        made = self.store.new(value, layout)
        call = to_plain(source.tensor, made.tensor, self.target) if plain else to_blocked(source.tensor, made.tensor, self.target)
        self.emission.calls(node, (call,), [source], [made])
        self._fill(node, made)
        self.store.put(value, made)
        return made

    # -- what control flow asks for

    def body(self, graph: Graph) -> None:
        """Lower the nodes of a subgraph. Raises Declined when one has no kernel, or operands that misfit: it may never run."""
        for node in graph.nodes:
            if reason := misfit(node):
                raise Declined(f"{node!r} inside it: {reason}")
        self.depth += 1
        try:
            for node in graph.nodes:
                self.lower_node(node)
        finally:
            self.depth -= 1

    def read(self, value: Value, node: Node) -> Storage:
        """Plain storage of a value. Raises Declined when it exists on the host only."""
        if not self.store.exists(value):
            raise Declined(f"'{value.name}' only exists on the host")
        return self._read(value, node, plain=True)

    def copy(self, node: Node, source: Storage, made: Storage) -> tuple[KernelCall, ...]:
        """The calls that copy plain storage."""
        identity = Node("Identity", [], [], name=node.name)
        site = Site(identity, (source.tensor,), (made.tensor,), self.target)
        return candidates(self.table, identity)[0].select(site)

    def _fill(self, node: Node, storage: Storage) -> None:
        if storage.blocked and any(storage.tensor.layout.halo):
            self.emission.calls(node, (fill_halo(storage.tensor, self.target),), [], [storage])

    def _host(self, node: Node, reason: str) -> None:
        if self.depth:
            raise Declined(f"{node!r} inside it: {reason}")
        inputs = [None if v is None else self._host_input(v, node) for v in node.inputs]
        outputs = [self.store.new(out, PLAIN) if out.name and _servable(out) else None for out in node.outputs]
        for value, storage in zip(node.outputs, outputs, strict=True):
            if storage is not None:
                self.store.put(value, storage)
        captured = [v for v in outer_values(node) if v not in node.inputs]
        storages = [self._host_input(v, node) for v in captured]
        self.emission.host(node, inputs, outputs, list(zip(captured, storages, strict=True)), reason)

    def _host_input(self, value: Value, node: Node) -> Storage | None:
        return self._read(value, node, plain=True) if self.store.exists(value) else None


def _servable(value: Value | None) -> bool:
    if value is None or value.name == "":
        return True
    return value.type is not None and value.type.static and not on_host_only(value.type)


def _pairs(node: Node, storages: Sequence[Storage | None]) -> list[tuple[Value | None, Storage]]:
    return [(v, s) for v, s in zip(node.inputs, storages, strict=True)]  # type: ignore[misc]
