"""Kernels that are nearly all vector code take a shorter way through LLVM; others, whose loops need it, the whole one."""

from __future__ import annotations

from onnx import parser

from edgeopt.codegen.kernel_text import is_shaped, parts_of
from edgeopt.frontend import load
from edgeopt.lower.lowering import lower
from edgeopt.pipeline import optimize
from edgeopt.target import target

HALVES = ",".join(["0.5"] * 32 * 32)
CONV = f"w = Constant <value = float[32,32,1,1] {{{HALVES}}}> () y = Conv (x, w)"
TRANSPOSE = "t = Transpose <perm = [0,2,3,1]> (x) y = Relu(t)"


def shaped(body: str, output: str) -> dict[str, bool]:
    text = f'<ir_version: 9, opset_import: ["" : 17]> g (float[1,32,16,16] x) => (float[{output}] y) {{ {body} }}'
    graph = load(parser.parse_model(text))
    optimize(graph, 1)
    steps = lower(graph, target("x86-64-v4")).native
    parts = parts_of(steps)
    return {step.call.function.__module__.rpartition(".")[2]: is_shaped(step, parts) for step in steps}


def test_a_convolution_is_shaped() -> None:
    assert shaped(CONV, "1,32,16,16")["conv_blocked"]


def test_loops_of_an_outline_are_not() -> None:
    assert not any(shaped(TRANSPOSE, "1,16,16,32").values())
