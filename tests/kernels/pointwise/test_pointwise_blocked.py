from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import OWN_DOMAIN
from edgeopt.kernels.conv.conv_blocked import KERNEL as CONV
from edgeopt.kernels.pointwise.pointwise_blocked import KERNELS
from tests.kernels.blocked import behind_convolution
from tests.kernels.harness import check, uniform

SHAPE = (2, 21, 5, 7)


@pytest.mark.parametrize("op", ["Relu", "Sigmoid", "HardSwish", "Tanh", "Elu", "Abs", "Mish", "Gelu", "Erf"])
def test_unary(op: str) -> None:
    check(behind_convolution(op, SHAPE), {"x": uniform(*SHAPE)}, [*KERNELS, CONV])


def test_own_silu() -> None:
    check(behind_convolution("Silu", SHAPE, domain=OWN_DOMAIN), {"x": uniform(*SHAPE)}, [*KERNELS, CONV])


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Max", "Min"])
def test_two_maps(op: str) -> None:
    check(behind_convolution(op, SHAPE, twice=True), {"x": uniform(*SHAPE)}, [*KERNELS, CONV])


@pytest.mark.parametrize("op", ["Max", "Min"])
def test_what_is_not_a_number_stays_so(op: str) -> None:
    x = uniform(*SHAPE)
    x[0, :, 0, 0] = np.nan
    check(behind_convolution(op, SHAPE, twice=True), {"x": x}, [*KERNELS, CONV])


@pytest.mark.parametrize("where", ["x86-64-v3"])
def test_avx2(where: str) -> None:
    check(behind_convolution("Mul", SHAPE, [uniform(21, 1, 1)]), {"x": uniform(*SHAPE)}, [*KERNELS, CONV], where)


@pytest.mark.parametrize("op", ["Add", "Mul", "Div", "PRelu"])
@pytest.mark.parametrize("shape", [(21, 1, 1), (1, 21, 1, 1), (2, 21, 1, 1), (1,), ()])
def test_a_constant_per_channel(op: str, shape: tuple[int, ...]) -> None:
    if op == "PRelu" and shape in ((2, 21, 1, 1), ()):
        pytest.skip("no valid slope of PRelu")
    constant = np.asarray(uniform(*shape) + 2, np.float32)
    check(behind_convolution(op, SHAPE, [constant]), {"x": uniform(*SHAPE)}, [*KERNELS, CONV])
