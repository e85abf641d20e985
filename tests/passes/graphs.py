"""For every pass its pattern: ``PATTERNS[name](draft, x)`` appends nodes that the pass rewrites; alone or among others."""

from __future__ import annotations

from collections.abc import Callable
from inspect import getmembers, isfunction

from hypothesis import strategies as st

from edgeopt.ir import Graph, Value
from tests.passes import arithmetic_patterns, attention_patterns, control_patterns, quantized_patterns, structure_patterns
from tests.strategies import OPSETS, Draft, Drawn, Seeded, finish, grow

Pattern = Callable[[Draft, Value], Value]
PATTERNS: dict[str, Pattern] = {
    name: builder
    for module in (arithmetic_patterns, attention_patterns, control_patterns, quantized_patterns, structure_patterns)
    for name, builder in getmembers(module, isfunction)
    if builder.__module__ == module.__name__ and not name.startswith("_")
}


def pattern_graph(name: str, seed: int) -> Graph:
    """The pattern of the pass ``name`` alone, between one input and one output."""
    draft = Draft(Seeded(seed), OPSETS[seed % len(OPSETS)])
    result = PATTERNS[name](draft, draft.image())
    draft.graph.outputs = [result]
    return draft.graph


@st.composite
def around(draw: st.DrawFn, name: str) -> Graph:
    """The pattern of the pass ``name`` among random operators, some of which may read its inner values."""
    choice = Drawn(draw)
    draft = Draft(choice, choice.pick(OPSETS))
    x = draft.image()
    for _ in range(choice.integer(0, 2)):
        x = draft.op(choice.pick(["Relu", "Tanh", "Neg"]), x)
    PATTERNS[name](draft, x)
    grow(draft, choice.integer(0, 4))
    return finish(draft, choice.integer(0, 1))
