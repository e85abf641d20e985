from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import Array
from edgeopt.kernels.pointwise import batch_normalization
from edgeopt.kernels.reduce import lrn, normalization, normalize_axes
from tests.kernels.one_node import agree, declined, normal, one_node, same_bits


def _positive(n: int) -> Array:
    return np.abs(normal(n)) + np.float32(0.1)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3)], ids=str)
def test_batch_normalization(shape: tuple[int, ...]) -> None:
    inputs = [normal(*shape), normal(3), normal(3), normal(3), _positive(3)]
    agree(batch_normalization, "BatchNormalization", inputs, {"epsilon": 1e-2}, rtol=1e-5, atol=2e-6)


def test_batch_normalization_of_half_precision() -> None:
    inputs = [normal(2, 3, 4, dtype="float16"), *(normal(3, dtype="float16") for _ in range(2)), normal(3), _positive(3)]
    agree(batch_normalization, "BatchNormalization", inputs, rtol=4e-3, atol=4e-3)


@pytest.mark.parametrize("axis", [-1, 1, 2])
@pytest.mark.parametrize("outputs", [1, 3])
def test_layer_normalization(axis: int, outputs: int) -> None:
    rest = (2, 3, 4, 5)[axis:]
    inputs = [normal(2, 3, 4, 5), normal(*rest), normal(*rest, seed=1)]
    agree(normalization, "LayerNormalization", inputs, {"axis": axis}, outputs=outputs, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize(
    ("op", "inputs", "outputs"),
    [
        ("InstanceNormalization", [normal(1, 9, 4, 3), normal(9), normal(9)], 1),
        ("LayerNormalization", [normal(9, 5), normal(5)], 3),
    ],
    ids=["instances", "layers"],
)
def test_short_rows_have_the_same_bits_however_threads_share_them(op: str, inputs: list[Array], outputs: int) -> None:
    same_bits(normalization, op, inputs, outputs=outputs)


def test_a_scale_along_another_axis_is_declined() -> None:
    graph = one_node("LayerNormalization", [normal(3, 3), normal(3, 1)])
    assert "do not have the shape of the normalised axes" in declined(normalization, graph)


def test_layer_normalization_of_half_precision() -> None:
    inputs = [normal(4, 8, dtype="float16"), normal(8, dtype="float16")]
    agree(normalization, "LayerNormalization", inputs, rtol=4e-3, atol=4e-3)


def test_rms_normalization() -> None:
    agree(normalization, "RMSNormalization", [normal(2, 3, 8), normal(8)], opset=23, rtol=1e-5, atol=2e-6)


def test_instance_normalization() -> None:
    agree(normalization, "InstanceNormalization", [normal(2, 3, 4, 5), normal(3), normal(3, seed=1)], rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("opset, count", [(21, 6), (18, 3)])
def test_group_normalization_scales_channels_or_groups(opset: int, count: int) -> None:
    inputs = [normal(2, 6, 4, 5), normal(count), normal(count, seed=1)]
    agree(normalization, "GroupNormalization", inputs, {"num_groups": 3}, opset=opset, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("axes", [[0, 2, 3], [1, 2]], ids=str)
def test_mean_variance_normalization(axes: list[int]) -> None:
    agree(normalize_axes, "MeanVarianceNormalization", [normal(2, 3, 4, 5)], {"axes": axes}, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_lp_normalization(p: int, axis: int) -> None:
    x = normal(3, 4, 5)
    expected = x / np.linalg.norm(x.astype(np.float64), ord=p, axis=axis, keepdims=True)
    agree(normalize_axes, "LpNormalization", [x], {"p": p, "axis": axis}, expected=[expected.astype(np.float32)])


@pytest.mark.parametrize("size, alpha, beta, bias", [(3, 1e-4, 0.75, 1.0), (4, 0.2, 0.6, 2.0)])
def test_local_response_normalization(size: int, alpha: float, beta: float, bias: float) -> None:
    x = normal(2, 7, 4, 5)
    before, after = (size - 1) // 2, -(-(size - 1) // 2) + 1
    sums = [(x[:, max(c - before, 0) : c + after].astype(np.float64) ** 2).sum(axis=1) for c in range(7)]
    expected = x / (bias + alpha / size * np.stack(sums, axis=1)) ** beta
    attributes = {"size": size, "alpha": alpha, "beta": beta, "bias": bias}
    agree(lrn, "LRN", [x], attributes, expected=[expected.astype(np.float32)], rtol=2e-6)
