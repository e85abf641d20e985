"""A layer is the same code alone and among others: its neighbours take nothing of what LLVM knows of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from onnx import helper

from edgeopt.codegen import driver
from edgeopt.codegen.build import link
from edgeopt.codegen.driver import call_name
from edgeopt.compiler import compile
from edgeopt.frontend import load
from edgeopt.kernels.call import Kernel
from edgeopt.kernels.conv import conv_direct, conv_transpose
from edgeopt.lower.lowering import lower
from edgeopt.target import host
from tests.edgeopt.small_models import info, model, weight

Layer = tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]]
LAYERS: dict[str, tuple[Kernel, list[Layer]]] = {
    "conv_direct": (
        conv_direct.KERNEL,
        [
            ("Conv", (1, 12, 9, 9, 9), (8, 12, 3, 3, 3), {"pads": [1] * 6}),
            ("Conv", (1, 16, 15, 15), (24, 4, 3, 3), {"group": 4, "strides": [2, 2], "pads": [1] * 4}),
            ("Conv", (1, 10, 40), (6, 10, 3), {"dilations": [4]}),
        ],
    ),
    "conv_transpose": (
        conv_transpose.KERNEL,
        [
            ("ConvTranspose", (1, 16, 20, 20), (16, 8, 2, 2), {"strides": [2, 2]}),
            ("ConvTranspose", (1, 17, 21, 20), (17, 8, 3, 3), {"strides": [3, 2]}),
        ],
    ),
}


def _code(kernel: Kernel, layers: list[Layer]) -> list[Counter[str]]:
    """What the function of each layer consists of, by opcode, when they share a network."""
    nodes, inputs, outputs, constants = [], [], [], []
    for i, (op, shape, weights, attributes) in enumerate(layers):
        nodes.append(helper.make_node(op, [f"x{i}", f"w{i}"], [f"y{i}"], **attributes))
        inputs.append(info(f"x{i}", shape))
        outputs.append(info(f"y{i}", None))
        constants.append(weight(f"w{i}", *weights))
    program = lower(load(model(nodes, inputs, outputs, constants)), host(), table=(kernel,))
    module = link(program, host())
    functions = [module.get_function(call_name(step)) for step in program.native]
    return [Counter(i.opcode for block in f.blocks for i in block.instructions) for f in functions]


def test_a_kernel_with_too_many_variants_takes_its_constants_from_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    alphas = (0.25, 0.5, -1.5)
    nodes = [helper.make_node("LeakyRelu", ["x"], [f"a{i}"], alpha=alpha) for i, alpha in enumerate(alphas)]
    nodes.append(helper.make_node("Concat", [f"a{i}" for i in range(len(alphas))], ["y"], axis=1))
    proto = model(nodes, [info("x", (2, 3))], [info("y", None)], [])
    x = np.asarray([[-1, 2, -3], [4, -5, 6]], np.float32)
    meant = compile(proto, level=0).run({"x": x})["y"]
    monkeypatch.setattr(driver, "MAX_COPIES", 1)
    np.testing.assert_array_equal(compile(proto, level=0).run({"x": x})["y"], meant)
    general = driver.driver_ir(lower(load(proto), host()), host())
    assert general.count("define void @general_") == 2
    np.testing.assert_array_equal(meant[:, 3:6], np.where(x < 0, x * np.float32(0.5), x))


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_the_same_code_alone_and_among_others(name: str) -> None:
    kernel, layers = LAYERS[name]
    assert _code(kernel, layers) == [code for layer in layers for code in _code(kernel, [layer])]
