"""Compiled quantised graphs against onnxruntime without optimizations: at most one code apart, on one code of a thousand.

The bound holds for the codes of all examples of a family together; examples are the same in every run. Means on the grid of their
input are apart: where the exact mean lies halfway between two codes, the noise of onnxruntime's float sum decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgeopt
from edgeopt.ir import Array
from edgeopt.pipeline import optimize
from edgeopt.report.islands import islands
from tests.kernels.quantized_graphs import FAMILIES, Case, Family, Network, by_onnxruntime
from tests.strategies import Drawn, Seeded

pytest.importorskip("onnxruntime")
SHARE = 1e-3
EXAMPLES, BLOCKS = 6, 3  # of one operator; of several, which take longer to compile


@dataclass
class Tally:
    """Codes compared, and those that differ."""

    codes: int = 0
    apart: int = 0

    def add(self, ours: Array, theirs: Array, name: str) -> None:
        """Count one tensor. Fails when a code is more than one off."""
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        distance = np.abs(ours.astype(int) - theirs.astype(int))
        assert distance.max(initial=0) <= 1, f"{name}: {distance.max()} apart at {np.argwhere(distance > 1)[0].tolist()}"
        self.codes += distance.size
        self.apart += int(np.count_nonzero(distance))


@st.composite
def cases(draw: st.DrawFn, family: Family, narrow: bool = False) -> Case:
    choice = Drawn(draw)
    network = Network(choice, choice.pick(["uint8", "int8"]), narrow)
    family(network)
    return network.case()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.__name__)
def test_agrees_with_onnxruntime(family: Family) -> None:
    tally = Tally()
    count = BLOCKS if family.__name__.endswith("_block") else EXAMPLES

    @settings(max_examples=count, derandomize=True, deadline=None, database=None)
    @given(case=cases(family))
    def agree(case: Case) -> None:
        theirs = by_onnxruntime(case.graph, case.feeds)
        ours = edgeopt.compile(case.graph, level=2).run(case.feeds)
        for name, array in theirs.items():
            tally.add(ours[name], array, name)

    agree()
    assert tally.codes > 1000
    assert tally.apart <= SHARE * tally.codes, f"{tally.apart} of {tally.codes} codes are apart"


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.__name__)
def test_codes_of_four_bits_agree_and_take_no_more_steps_in_float(family: Family) -> None:
    case, wide = (_drawn(family, narrow) for narrow in (True, False))
    model, tally = edgeopt.compile(case.graph, level=2), Tally()
    ours = model.run(case.feeds)
    for name, theirs in by_onnxruntime(case.graph, case.feeds).items():
        tally.add(ours[name], theirs, name)
    assert tally.apart <= SHARE * tally.codes, f"{tally.apart} of {tally.codes} codes are apart"
    assert not model.manifest["fallbacks"]
    assert len(model.manifest["islands"]) == len(islands(wide.graph, optimize(wide.graph).declined))


def _drawn(family: Family, narrow: bool) -> Case:
    network = Network(Seeded(len(family.__name__)), "uint8" if len(family.__name__) % 2 else "int8", narrow)
    family(network)
    return network.case()


@pytest.mark.parametrize("size", [2, 4, 8])
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_means_on_one_grid_differ_only_halfway_between_codes(size: int, dtype: str) -> None:
    network = Network(Seeded(size), dtype)
    x, grid = network.input(1, 17, 8, 8), (0.0371, 3)
    network.rounded(network.op("AveragePool", network.real(x, *grid), kernel_shape=(size,) * 2, strides=(size,) * 2), grid=grid)
    case = network.case()
    (theirs,) = by_onnxruntime(case.graph, case.feeds).values()
    (ours,) = edgeopt.compile(case.graph, level=2).run(case.feeds).values()
    codes = case.feeds[x.name].astype(np.int64) - grid[1]
    mean = codes.reshape(-1, 17, 8 // size, size, 8 // size, size).mean(axis=(3, 5), dtype=np.float64)
    apart = ours.astype(int) - theirs
    assert np.abs(apart).max() <= 1
    np.testing.assert_array_equal((mean - np.floor(mean))[apart != 0], 0.5)
