"""Look-up products with random codes against their meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgeopt.interpret import interpret
from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Graph, TensorType, Value
from edgeopt.ops import infer_types
from tests.kernels.quant_harness import Grid

DEVIATION = 24  # of codewords
INPUT = Grid(0.02, 0)
TABLE_LOSS = 0.02  # what tables of bytes may cost, in relative L2


def lookup_graph(
    op: str,
    shape: Sequence[int],
    outputs: int,
    taps: Sequence[int],
    attributes: Mapping[str, Attribute],
    x: Grid = INPUT,
    y: Grid | None = None,
    residual: Grid | None = None,
    books: tuple[int, int, int] = (1, 16, 4),
    seed: int = 0,
) -> Graph:
    """A graph of one node; ``books`` are codebooks, codewords and channels of a sub-space. A shift that fits is chosen."""
    rng, (count, words, size) = np.random.default_rng([seed, *shape, outputs]), books
    group = int(attributes.get("group", 1))  # type: ignore[call-overload]
    channels = shape[1] // group if op == "LookupConv" else shape[-1]
    spaces = -(-channels // size)
    codes = rng.integers(0, words, (count, outputs, spaces, *taps)).astype(np.uint8)
    book = np.clip(np.rint(rng.normal(0, DEVIATION, (count, group * spaces, words, size))), -127, 127).astype(np.int8)
    scale, bias = rng.uniform(0.001, 0.002, outputs).astype(np.float32), rng.normal(0, 1, outputs).astype(np.float32)
    graph = Graph("lookup", opsets={"": 21, "ai.edgeopt": 1})
    graph.inputs = [Value("x", TensorType(x.dtype, tuple(shape)))]
    inputs: list[Value | None] = [graph.inputs[0], *_constants(graph, *x.arrays)]
    inputs += [graph.constant("codes", codes, "uint4" if words <= 16 else "uint8"), *_constants(graph, book, scale, bias)]
    inputs += [None, None] if y is None else _constants(graph, *y.arrays)
    given = {**attributes, "shift": shift_of(min(size, channels), x)}
    node = graph.make(op, inputs, [None], domain=OWN_DOMAIN, name="node", attributes=given)
    graph.outputs = [node.output]
    infer_types(graph)
    if residual is not None:
        assert node.output.type is not None
        graph.inputs.append(Value("r", TensorType(residual.dtype, node.output.type.dims)))
        for index, value in enumerate([graph.inputs[1], *_constants(graph, *residual.arrays)]):
            node.set_input(9 + index, value)
    return graph


def shift_of(size: int, x: Grid) -> int:
    """Tables of normally distributed codewords and uniform codes reach 4 standard deviations."""
    codes = np.arange(np.iinfo(x.dtype).min, np.iinfo(x.dtype).max + 1) - x.zero
    deviation = DEVIATION * np.sqrt(size * np.square(codes, dtype=np.float64).mean())
    return min(8, max(0, int(np.ceil(np.log2(4 * deviation / 128)))))


def data_of(graph: Graph, seed: int = 0) -> dict[str, Array]:
    """Uniform codes for every input."""
    rng, made = np.random.default_rng(seed), {}
    for value in graph.inputs:
        assert value.type is not None
        limits = np.iinfo(value.type.dtype)
        made[value.name] = rng.integers(limits.min, limits.max + 1, value.type.dims).astype(value.type.dtype)
    return made


def meant(graph: Graph, data: Mapping[str, Array]) -> Array:
    """The output by the body."""
    return next(iter(interpret(graph, dict(data)).values()))


def loss(result: Array, expected: Array) -> float:
    """Relative L2 error."""
    assert result.shape == expected.shape and result.dtype == expected.dtype
    difference = result.astype(np.float64) - expected.astype(np.float64)
    return float(np.linalg.norm(difference)) / max(float(np.linalg.norm(expected.astype(np.float64))), 1e-30)


def _constants(graph: Graph, *arrays: Array) -> list[Value]:
    return [graph.constant("c", a) for a in arrays]
