"""The manifest: what the runtime, the reports and a reader need to know of a compiled model, as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from edgeopt.ir import Graph
from edgeopt.lower.layout import layout
from edgeopt.lower.program import Program
from edgeopt.report.layers import work
from edgeopt.target import Target

Manifest = dict[str, Any]
TARGET_FACTS = tuple(f.name for f in dataclasses.fields(Target) if f.name != "small")  # that one is no fact of a processor


def describe(graph: Graph, program: Program, target: Target, level: int, fired: Mapping[str, int]) -> Manifest:
    """The manifest of a program: inputs and outputs, memory, parts to run in order, kernels, passes that ``fired``, notes."""
    memory = layout(program)
    return {
        **memory,
        "inputs": [_as_in(graph, port) for port in memory["inputs"]],
        "outputs": [{**_as_in(graph, output), **_claim(graph, output["name"])} for output in memory["outputs"]],
        "model": graph.name,
        "level": level,
        "target": {name: fact for name, fact in dataclasses.asdict(target).items() if name in TARGET_FACTS},
        "arena_lower_bound": program.lower_bound,
        "memory_limit": graph.memory_limit,
        "source_bytes": None,
        "fallbacks": [{"op": s.node.op, "node": s.node.name, "reason": s.reason} for s in program.fallbacks],
        "kernels": [{"node": s.node, "op": s.op, "kernel": s.call.full_name} for s in program.native],
        "buffers": [[b.offset, b.size, b.first, b.last] for b in program.buffers],
        "nodes": _nodes(graph),
        "work": {"before": None, "after": work(graph)},
        "passes": {name: n for name, n in fired.items() if n},
        "interface": _interface(program),
        "notes": [*graph.metadata.get("edgeopt.notes", "").splitlines(), *program.notes],
    }


def _as_in(graph: Graph, port: Manifest) -> Manifest:
    """An input or output with the element type that it has in the graph; in a C library it may be a code."""
    value = next((v for v in (*graph.inputs, *graph.outputs) if v.name == port["name"]), None)
    return {**port, "dtype": value.type.dtype} if value is not None and value.type is not None else port


def _interface(program: Program) -> Manifest:
    """Where a C library has inputs and outputs in its arena, and what their codes stand for, by name; (rows, bytes of one) of a

    streamed input.
    """
    ports = [*program.inputs, *program.outputs]
    return {
        "offsets": {p.name: p.offset for p in ports if p.offset is not None},
        "codes": {
            p.name: {"dtype": p.type.dtype, "scale": p.codes.scale, "zero_point": p.codes.zero}
            for p in ports
            if p.codes is not None and p.type is not None
        },
        **({} if (stream := program.stream) is None else {"rows": [stream.bands[0].height, stream.bands[0].row_bytes]}),
    }


def _nodes(graph: Graph) -> list[Manifest]:
    """What a picture of the graph needs: the nodes in order, and the places in that order of those that each reads."""
    index = {id(out): i for i, node in enumerate(graph.nodes) for out in node.outputs}
    return [
        {
            "name": node.name,
            "op": node.op,
            "output": str(node.output.type) if node.output.type is not None else "",
            "reads": sorted({index[id(value)] for value in node.inputs if value is not None and id(value) in index}),
        }
        for node in graph.nodes
    ]


def _claim(graph: Graph, name: str) -> Manifest:
    """What the model declares of an output whose shape the data decide; None where it leaves a dimension open."""
    claim = graph.declared.get(name)
    return {} if claim is None else {"declared": [d if isinstance(d, int) else None for d in claim]}
