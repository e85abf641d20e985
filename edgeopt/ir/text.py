"""Deterministic text of a graph, used as golden text by the tests and by ``--print-after``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from edgeopt.ir.graph import Graph, Node, Value
from edgeopt.ir.types import Array, Attribute


def graph_text(graph: Graph, indent: str = "") -> str:
    """The whole graph: header, constants that are used, one line per node, outputs."""
    lines = [f"{indent}graph {graph.name}({', '.join(_typed(v) for v in graph.inputs)})"]
    lines += [f"{indent}  {_constant(v)}" for v in graph.constants if v.uses or graph.is_output(v)]
    for node in graph.nodes:
        lines += [indent + "  " + node_text(node)]
        for name, inner in sorted((k, a) for k, a in node.attributes.items() if isinstance(a, Graph)):
            lines += [f"{indent}    {name}:", graph_text(inner, indent + "      ")]
    return "\n".join([*lines, f"{indent}  return {', '.join(_typed(v) for v in graph.outputs)}"])


def node_text(node: Node) -> str:
    """One line: outputs, operator, inputs, attributes."""
    outputs = ", ".join(_typed(v) for v in node.outputs)
    inputs = ", ".join("-" if v is None else f"%{v.name}" for v in node.inputs)
    plain = {k: a for k, a in node.attributes.items() if not isinstance(a, Graph)}
    attributes = ", ".join(f"{k}={_attribute(plain[k])}" for k in sorted(plain))
    op = f"{node.domain}.{node.op}" if node.domain else node.op
    return f"{outputs} = {op}({inputs})" + (f" {{{attributes}}}" if attributes else "")


def _typed(value: Value) -> str:
    return f"%{value.name}: {value.type}" if value.type is not None else f"%{value.name}"


def _constant(value: Value) -> str:
    return f"{_typed(value)} = {_array_text(value.array)}"


def _array_text(array: Array) -> str:
    if array.size <= 8:
        return str(array.tolist())
    digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:12]
    return f"<{digest}>"


def _attribute(value: Attribute) -> str:
    if isinstance(value, np.ndarray):
        return _array_text(value)
    if isinstance(value, bytes):
        return repr(value.decode(errors="replace"))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_attribute(v) for v in value) + "]"
    return f"{value:.7g}" if isinstance(value, float) else repr(value)
