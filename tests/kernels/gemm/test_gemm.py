from __future__ import annotations

import pytest

from edgeopt.ir import OWN_DOMAIN, Attribute
from edgeopt.kernels.gemm.gemm import KERNEL
from tests.kernels.harness import check, single, uniform

SIZES = [1, 7, 8, 9, 15, 16, 17, 31, 32, 33]


@pytest.mark.parametrize("size", SIZES)
def test_sizes_around_the_vector_width(size: int) -> None:
    data = {"a": uniform(34 - size, size)}
    check(single("MatMul", data, [uniform(size, size + 1)]), data, [KERNEL])


@pytest.mark.parametrize(
    "left, right", [((3, 20, 9), (9, 33)), ((2, 3, 5, 8), (2, 3, 8, 17)), ((1, 4, 40), (1, 40, 65)), ((6, 300), (300, 130))]
)
def test_computed_right_hand_side(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    data = {"a": uniform(*left), "w": uniform(*right)}
    check(single("MatMul", data), data, [KERNEL])


def test_constant_batch() -> None:
    data = {"a": uniform(3, 20, 9)}
    check(single("MatMul", data, [uniform(3, 9, 70)]), data, [KERNEL])


@pytest.mark.parametrize("transposed", [0, 1])
def test_gemm_scales_its_terms(transposed: int) -> None:
    data = {"a": uniform(10, 12)}
    matrix = uniform(50, 12) if transposed else uniform(12, 50)
    attributes: dict[str, Attribute] = {"transB": transposed, "alpha": 0.5, "beta": 2.0}
    check(single("Gemm", data, [matrix, uniform(1, 50)], attributes), data, [KERNEL])


def test_gemm_adds_a_computed_matrix() -> None:
    data = {"a": uniform(10, 12), "c": uniform(10, 50)}
    check(single("Gemm", data, [uniform(12, 50)], extra=[data["c"]]), data, [KERNEL])


@pytest.mark.parametrize("kind", ["", "Relu", "Silu", "Gelu"])
def test_fused_bias_residual_and_activation(kind: str) -> None:
    data = {"a": uniform(2, 10, 12), "r": uniform(2, 10, 35)}
    graph = single("FusedGemm", data, [uniform(12, 35), uniform(35)], {"activation": kind}, OWN_DOMAIN, [data["r"]])
    check(graph, data, [KERNEL])
