from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgeopt.codegen.kernel_text import kernel_name
from edgeopt.ir import OWN_DOMAIN, Attribute, TensorType
from edgeopt.kernels.call import Layout, Tensor
from edgeopt.kernels.conv.conv_winograd import KERNEL
from edgeopt.kernels.conv.winograd_plan import cycles, make_plan
from edgeopt.kernels.conv.winograd_transform import measured_error, transformed_weights
from edgeopt.lower.lowering import lower
from edgeopt.target import target
from tests.coding.winograd_weights import transformed
from tests.kernels.harness import check, run, single, uniform

PADS: dict[str, Attribute] = {"pads": [1, 1, 1, 1]}
CASES: dict[str, tuple[tuple[int, ...], int, dict[str, Attribute]]] = {
    "one block": ((1, 64, 14, 14), 64, PADS),
    "several blocks": ((1, 64, 40, 28), 64, PADS),
    "a batch in phases": ((3, 64, 8, 8), 64, PADS),
    "a batch in blocks": ((2, 48, 37, 30), 80, PADS),
    "uneven size": ((1, 64, 13, 15), 64, PADS),
    "seven": ((1, 128, 7, 7), 128, PADS),
    "no pads": ((1, 64, 18, 18), 64, {}),
    "uneven pads": ((1, 64, 12, 13), 64, {"pads": [0, 1, 2, 1]}),
    "groups": ((1, 128, 12, 12), 96, {**PADS, "group": 2}),
    "groups in blocks": ((1, 128, 33, 30), 64, {**PADS, "group": 2}),
    "channels that fill no block": ((1, 70, 12, 12), 75, PADS),
}


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_reference(case: str) -> None:
    shape, outputs, attributes = CASES[case]
    data, group = {"x": uniform(*shape)}, attributes.get("group", 1)
    assert isinstance(group, int)
    weight = uniform(outputs, shape[1] // group, 3, 3)
    graph = single("Conv", data, [weight, uniform(outputs)], attributes)
    check(graph, data, [KERNEL], tolerance=1e-4)


@pytest.mark.parametrize("size", [12, 13])
def test_residual_and_activation(size: int) -> None:
    data = {"x": uniform(1, 64, size, size), "r": uniform(1, 64, size, size)}
    attributes: dict[str, Attribute] = {**PADS, "activation": "Relu"}
    graph = single("FusedConv", data, [uniform(64, 64, 3, 3), uniform(64)], attributes, OWN_DOMAIN, [data["r"]])
    check(graph, data, [KERNEL], tolerance=1e-4)


@pytest.mark.parametrize("m", [2, 4])
def test_transformed_weights_give_the_convolution(m: int) -> None:
    weight = uniform(5, 7, 3, 3)
    assert measured_error(weight, transformed_weights(weight, m), m) < 1e-5


@pytest.mark.parametrize("m", [2, 4])
def test_what_is_measured_is_what_a_loader_makes(m: int) -> None:
    weight = uniform(5, 7, 3, 3)
    np.testing.assert_allclose(transformed_weights(weight, m), transformed(weight, m), rtol=1e-6, atol=1e-7)


def test_the_error_of_wrong_weights_is_seen() -> None:
    weight = uniform(5, 7, 3, 3)
    assert measured_error(weight, transformed_weights(np.flip(weight, 3), 4), 4) > 0.1


def test_declines_strides_and_small_maps() -> None:
    data = {"x": uniform(1, 64, 12, 12)}
    with pytest.raises(AssertionError, match="stride one"):
        run(single("Conv", data, [uniform(64, 64, 3, 3)], {"strides": [2, 2]}), data, [KERNEL])
    data = {"x": uniform(1, 8, 3, 3)}
    with pytest.raises(AssertionError, match="as fast"):
        run(single("Conv", data, [uniform(8, 8, 3, 3)]), data, [KERNEL])


def test_maps_of_different_sizes_share_their_code() -> None:
    names = set()
    for size in (28, 40, 56):
        graph = single("Conv", {"x": uniform(1, 64, size, size)}, [uniform(64, 64, 3, 3), uniform(64)], PADS)
        steps = lower(graph, target("x86-64-v4"), "one", [KERNEL]).native
        names |= {kernel_name(step) for step in steps if step.call.full_name == "conv_winograd.convolve"}
    assert len(names) == 1


def test_small_maps_of_many_channels_take_the_form_with_fewer_weights() -> None:
    facts = replace(target("host"), vector_bytes=64, l2=2 << 20, frequency=3e9, bandwidth=30e9)
    x = Tensor(TensorType("float32", (1, 512, 7, 7)), Layout(16))
    fewer, more = (make_plan(facts, x, x, (1, 1, 1, 1), 1, m) for m in (2, 4))
    assert cycles(facts, fewer) < cycles(facts, more)  # 17 MB instead of 38 from memory
    near = replace(facts, bandwidth=3e11)
    assert cycles(near, fewer) > cycles(near, more)
