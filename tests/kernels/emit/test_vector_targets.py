"""The vector kernels on other processors: AVX2 code runs here, Arm code is inspected as assembly."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest

from edgeopt.codegen.build import link
from edgeopt.codegen.optimise import target_machine
from edgeopt.ir import Attribute, Graph
from edgeopt.kernels.call import Kernel
from edgeopt.kernels.conv import conv_blocked, conv_depthwise, conv_stem, conv_transpose_blocked, conv_winograd
from edgeopt.kernels.gemm import gemm, gemv
from edgeopt.kernels.integer import quant_conv, quant_depthwise_wide, quant_gemm
from edgeopt.kernels.reduce import softmax_vector
from edgeopt.lower.lowering import lower
from edgeopt.target import host, target
from tests.kernels.harness import check, single, uniform
from tests.kernels.quant_harness import Grid, codes, conv_graphs

PADS: dict[str, Attribute] = {"pads": [1, 1, 1, 1]}
TABLE = [m.KERNEL for m in (conv_stem, conv_depthwise, conv_winograd, conv_blocked, conv_transpose_blocked, gemv, gemm)]
INTEGERS = [quant_depthwise_wide.KERNEL, quant_conv.KERNEL]


def networks() -> dict[str, Graph]:
    """One node for each vector kernel, of a size that fills the register tile."""
    return {
        "1x1": single("Conv", {"x": uniform(1, 32, 14, 14)}, [uniform(48, 32, 1, 1), uniform(48)]),
        "3x3": single("Conv", {"x": uniform(1, 32, 28, 28)}, [uniform(64, 32, 3, 3)], {**PADS, "strides": [2, 2]}),
        "winograd": single("Conv", {"x": uniform(1, 64, 14, 13)}, [uniform(64, 64, 3, 3)], PADS),
        "3x3 of few channels": single("Conv", {"x": uniform(1, 20, 18, 9)}, [uniform(24, 20, 3, 3)], {**PADS, "strides": [2, 1]}),
        "stem": single("Conv", {"x": uniform(1, 3, 32, 32)}, [uniform(32, 3, 3, 3)], {**PADS, "strides": [2, 2]}),
        "depthwise": single("Conv", {"x": uniform(1, 32, 14, 14)}, [uniform(32, 1, 3, 3)], {**PADS, "group": 32}),
        "transposed": single("ConvTranspose", {"x": uniform(1, 32, 14, 14)}, [uniform(32, 48, 2, 2)], {"strides": [2, 2]}),
        "gemv": single("Gemm", {"a": uniform(1, 120)}, [uniform(120, 84), uniform(84)]),
        "gemm": single("MatMul", {"a": uniform(28, 40)}, [uniform(40, 64)]),
    }


@pytest.mark.parametrize("name", networks())
def test_avx2(name: str) -> None:
    graph = networks()[name]
    data = {v.name: uniform(*v.type.dims) for v in graph.inputs if v.type is not None}
    check(graph, data, TABLE, "x86-64-v3", tolerance=1e-4 if name == "winograd" else 1e-5)


def bodies(graph: Graph, where: str, products: str = "vfmadd|fmla|vfma", table: Sequence[Kernel] = TABLE) -> list[str]:
    """Assembly of the basic blocks that hold at least eight multiply-adds: the innermost loops."""
    facts = host() if where == "host" else target(where)
    machine = target_machine(facts)
    text = machine.emit_assembly(link(lower(graph, facts, "single", table), facts))
    blocks = re.split(r"\n(?=\.L\w+:)", text)
    return [b for b in blocks if len(re.findall(rf"\b(?:{products})", b)) >= 8]


SPILL = r"(?:[xyz]mm\d+, *-?\d*\(%rsp\))|(?:\(%rsp\).*[xyz]mm)|(?:\b(?:str|ldr|stp|ldp)\s+q.*\[sp)"


# Winograd is left out: its transforms hold 36 values at once, and its product is the tile of the others.
@pytest.mark.parametrize("where", ["host", "x86-64-v3", "cortex-a72"])
@pytest.mark.parametrize("name", [name for name in networks() if name != "winograd"])
def test_inner_loops_keep_their_accumulators_in_registers(name: str, where: str) -> None:
    found = bodies(networks()[name], where)
    assert found
    loops = [b for b in found if re.search(r"\t(?:j\w+|b\.\w+|cbn?z)\s", b)]
    assert loops, "no loop among the blocks that multiply"
    for body in loops:
        assert not re.findall(SPILL, body), body


INTEGER: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Attribute]]] = {
    "1x1": ((1, 32, 14, 14), (48, 32, 1, 1), {}),
    "3x3": ((1, 32, 28, 28), (64, 32, 3, 3), {**PADS, "strides": [2, 2]}),
    "depthwise": ((1, 32, 14, 14), (32, 1, 3, 3), {**PADS, "group": 32}),
}
PRODUCTS = {"x86-64-v3": "vpmaddwd", "cortex-a53": "smull|smlal", "cortex-a72": "smull|smlal", "cortex-a76": "sdot|smull"}


@pytest.mark.parametrize("where", PRODUCTS)
@pytest.mark.parametrize("name", INTEGER)
def test_integer_loops_multiply_as_the_target_does_best_and_do_not_spill(name: str, where: str) -> None:
    shape, weight, attributes = INTEGER[name]
    w = np.maximum(codes("int8", *weight), -127)
    scale, zeros = np.full(weight[0], 0.002, np.float32), np.zeros(weight[0], np.int8)
    grids = Grid(0.02, -3, "int8"), Grid(0.06, 5, "int8")
    graph, _ = conv_graphs(grids[0], shape, w, scale, zeros, None, grids[1], attributes)
    loops = [b for b in bodies(graph, where, PRODUCTS[where], INTEGERS) if re.search(r"\t(?:j\w+|b\.\w+|cbn?z)\s", b)]
    assert loops, "no loop among the blocks that multiply"
    for body in loops:
        inner = re.split(r"\t(?:j\w+|b\.\w+|cbn?z)\s", body)[0]
        assert not re.findall(SPILL, inner), inner


@pytest.mark.parametrize("op", ["Softmax", "QuantGemm"])
def test_numbers_are_rounded_in_vectors_on_32_bit_arm(op: str) -> None:
    """LLVM calls a function for each lane there, having no instruction for it."""
    facts, grid = target("armv7"), Grid(0.06, 5, "int8")
    scale, zeros = np.full(24, 0.002, np.float32), np.zeros(24, np.int8)
    weight = codes("int8", 40, 24)
    constants = [*grid.arrays, weight, scale, zeros, None, *grid.arrays]
    graphs = {
        "Softmax": single("Softmax", {"x": uniform(3, 40)}),
        "QuantGemm": single("QuantGemm", {"x": codes("int8", 6, 40)}, constants, domain="ai.edgeopt"),
    }
    table = [softmax_vector.KERNEL, quant_gemm.KERNEL]
    text = target_machine(facts).emit_assembly(link(lower(graphs[op], facts, "single", table), facts))
    assert "vadd.f32" in text and "rint" not in text
