"""What a firmware fills and reads: codes in place of floats where the network converts them at once, in the arena if asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from edgeopt.ir import Graph, Node, Value
from edgeopt.lower.program import Codes, Program

MOST_CHANNELS = 4  # of a picture
CODED = ("int8", "uint8", "int16", "uint16")


@dataclass(frozen=True)
class Interface:
    """How a C library takes inputs and gives outputs: as ``codes`` where the network converts them at once or at last, and in the

    ``arena``, where inputs are overwritten. With ``rows`` the input is codes, and comes in row by row.
    """

    codes: bool = False
    arena: bool = False
    rows: bool = False


CALLERS = Interface()  # inputs and outputs are the caller's, as the graph has them


def code_ports(graph: Graph, outputs: bool = True) -> dict[str, Codes]:
    """Make inputs that are only quantised, and ``outputs`` that are dequantised at last, codes. Returns those by name.

    All readers of an input have to agree on one scale and one zero point for all elements. Others stay as they are.
    """
    found = {value.name: _coded_input(graph, value) for value in graph.inputs}
    if outputs:
        found |= {name: _coded_output(graph, value) for name, value in [(value.name, value) for value in graph.outputs]}
    return {name: codes for name, codes in found.items() if codes is not None}


def describe_ports(program: Program, graph: Graph, codes: Mapping[str, Codes]) -> None:
    """Say of the inputs and outputs of ``program``, which is that of ``graph``, what they hold."""
    lines = {value.name: _picture_lines(value) for value in graph.inputs}
    program.inputs = [replace(port, codes=codes.get(port.name), lines=lines[port.name]) for port in program.inputs]
    program.outputs = [replace(port, codes=codes.get(port.name)) for port in program.outputs]


def _picture_lines(value: Value) -> int | None:
    """The lines of an input that is one picture with its channels last: all who read it put them first."""
    dims = value.type.dims if value.type is not None and value.type.static else ()
    turned = all(node.is_op("Transpose", "Reshape") for node in value.users)
    few = len(dims) == 4 and dims[0] == 1 and dims[3] <= MOST_CHANNELS
    first = all(_channels_first(node, dims) for node in value.users) if few and turned and value.uses else False
    return dims[1] if first else None


def _channels_first(node: Node, dims: tuple[int, ...]) -> bool:
    made = node.output.type
    return made is not None and made.static and made.dims == (1, dims[3], dims[1], dims[2])


def left_in_float(graph: Graph) -> list[str]:
    """Notes on a graph whose inputs and outputs were made codes as far as that goes; none where all are."""
    left = [v.name for v in (*graph.inputs, *graph.outputs) if v.type is not None and v.type.dtype == "float32"]
    names = ", ".join(f"'{name}'" for name in left)
    return [f"no codes: {names} stay float32, since the network converts them neither at once nor at last"] if left else []


def _coded_input(graph: Graph, value: Value) -> Codes | None:
    made = [node.output for node in value.users if node.is_op("QuantizeLinear") and node.input(0) is value]
    kinds = {(_codes(node, out), out.type) for node, out in zip(value.users, made, strict=False)}
    if graph.is_output(value) or len(made) != len(value.uses) or len(kinds) != 1 or any(map(graph.is_output, made)):
        return None
    ((codes, type_),) = kinds
    if codes is None:
        return None
    value.type = type_
    for node in value.users:
        graph.replace(node.output, value)
        graph.erase(node)
    return codes


def _coded_output(graph: Graph, value: Value) -> Codes | None:
    node = value.producer
    source = node.input(0) if node is not None and node.is_op("DequantizeLinear") else None
    if node is None or source is None or source.producer is None or graph.is_output(source) or value.uses:
        return None
    codes = _codes(node, source)
    if codes is None or sum(out is value for out in graph.outputs) > 1:
        return None
    graph.replace(value, source)  # which takes over the name
    graph.erase(node)
    return codes


def _codes(node: Node, coded: Value) -> Codes | None:
    """Scale and zero point of a conversion to or from the ``coded`` value, where they are one number each."""
    scale, zero = node.constant(1), node.constant(2)
    if scale is None or scale.size != 1 or scale.dtype != np.float32 or (zero is None and node.input(2) is not None):
        return None
    if coded.type is None or coded.type.dtype not in CODED or (zero is not None and zero.size != 1):
        return None
    return Codes(float(scale.reshape(())), 0 if zero is None else int(zero.reshape(())))
