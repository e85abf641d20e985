"""Runs side by side in bounded memory see the values that whole runs see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate import lockstep
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.lockstep import Lockstep
from edgeopt.evaluate.observe import Overlay, observe
from edgeopt.evaluate.parallel import side_by_side
from edgeopt.evaluate.spill import Store
from edgeopt.ir import Graph
from edgeopt.ops.grid import from_range
from edgeopt.ops.grids import linear_nodes
from tests.passes.building import closed
from tests.strategies import Draft, Seeded


def branches() -> tuple[Graph, DataSet]:
    """Two convolutions whose concatenation a third one reads, with a residual around them."""
    draft = Draft(Seeded(0))
    x = draft.input((1, 4, 6, 5))
    a = draft.own("FusedConv", x, draft.weight(2, 4, 3, 3), draft.weight(2), pads=(1, 1, 1, 1), activation="Relu")
    b = draft.own("FusedConv", x, draft.weight(2, 4, 1, 1), draft.weight(2))
    both = draft.op("Concat", a, b, axis=1)
    last = draft.own("FusedConv", both, draft.weight(4, 4, 1, 1), draft.weight(4), x)
    graph = closed(draft, last)
    return graph, DataSet({"x0": np.random.default_rng(0).normal(size=(70, 4, 6, 5)).astype(np.float32)})


@pytest.mark.parametrize("memory", [0, 5_000, 1 << 30])
def test_each_layer_reads_what_a_whole_run_gives_it(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lockstep, "Store", lambda: Store(memory))
    graph, data = branches()
    data = DataSet({graph.inputs[0].name: data.arrays["x0"]})
    both = linear_nodes(graph)[2].input(0)
    assert both is not None
    overlays = [Overlay(), Overlay(quantizers={both.name: from_range(-2.0, 3.0, "uint8")})]
    with Lockstep(graph, data, overlays) as runs:
        for node in linear_nodes(graph):
            source = node.input(0)
            assert source is not None
            batches = list(runs.reach(node, lambda index, arrays: (index, arrays)))
            assert [index for index, _ in batches] == list(range(len(batches))) and len(batches) > 1
            for run, overlay in enumerate(overlays):
                whole = observe(graph, [source.name], data, overlay)[source.name]
                np.testing.assert_array_equal(np.concatenate([arrays[run] for _, arrays in batches]), whole)


@given(sizes=st.lists(st.integers(1, 50), min_size=1, max_size=12), limit=st.integers(0, 400), seed=st.integers(0, 99))
def test_a_store_gives_back_what_it_took(sizes: list[int], limit: int, seed: int) -> None:
    rng, store, kept = np.random.default_rng(seed), Store(limit), {}
    for index, size in enumerate(sizes):
        array = rng.normal(size=size).astype(np.float32)
        kept[index] = (store.put(array), array)
        if index % 3 == 2:
            store.free(kept.pop(index - 1)[0])
    for handle, array in kept.values():
        np.testing.assert_array_equal(store.get(handle), array)
    store.close()


@given(low=st.floats(-9, 0), high=st.floats(0.1, 9), dtype=st.sampled_from(["uint8", "int8", "uint4", "int16"]))
def test_codes_lose_nothing(low: float, high: float, dtype: str) -> None:
    grid, store = from_range(low, high, dtype), Store()
    array = grid.simulate(np.linspace(2 * low, 2 * high, 300, dtype=np.float32))
    kept = store.put(array, grid)
    assert kept.nbytes <= 2 * array.size
    np.testing.assert_array_equal(store.get(kept), array)
    store.close()


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edgeopt.evaluate.spill.os.pwrite", full)
    with pytest.raises(EdgeoptError, match="No space left on device.*TMPDIR"):
        Store(0).put(np.zeros(3, np.float32))


def test_work_comes_back_in_order_and_its_errors_too() -> None:
    assert list(side_by_side(lambda i: i * i, range(50))) == [i * i for i in range(50)]
    with pytest.raises(ZeroDivisionError):
        list(side_by_side(lambda i: 1 // (i - 20), range(50)))


def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = Store(0)
    store.put(np.ones(9, np.float32))
    store.close()
    assert list(tmp_path.iterdir()) == []
