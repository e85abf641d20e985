"""prune_channels: channels that nothing needs go from all that holds them, and nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.forms.structure.channel_groups import groups_of
from edgeopt.frontend import save
from edgeopt.interpret import interpret
from edgeopt.ir import Array, Graph, verify
from edgeopt.ir.clone import clone
from edgeopt.ops import infer_types
from edgeopt.ops.channels import Channels, channels_of
from edgeopt.passes import prune_channels
from edgeopt.rewrite import Context, run_pass
from tests.narrowing import BLOCKS, network, unread
from tests.passes.building import closed
from tests.passes.checks import feeds, same_numbers
from tests.strategies import Draft, Drawn, Seeded


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    return network(Draft(Drawn(draw)), draw(st.integers(1, 4)))


def shrunk(graph: Graph, share: float, seed: int = 0) -> tuple[Graph, Channels, dict[str, Array]]:
    """``graph``, in which nothing reads some channels of each group then, and a copy without them."""
    found, rng = channels_of(graph), np.random.default_rng(seed)
    groups = groups_of(graph, found)
    gone = {name: np.concatenate([k[rng.random(len(k)) < share][1:] for k in group.kinds]) for name, group in groups.items()}
    unread(graph, found, np.concatenate([*gone.values(), np.zeros(0, np.int64)]))
    made = clone(graph)
    assert run_pass(made, prune_channels.make(found, gone), Context()) == sum(len(classes) > 0 for classes in gone.values())
    verify(made)
    return made, found, gone


@given(networks(), st.integers(0, 99))
def test_channels_that_nothing_reads_make_no_difference(graph: Graph, seed: int) -> None:
    made, found, gone = shrunk(graph, 0.6, seed)
    expected, inputs = {o.name: o.type for n in made.nodes for o in n.outputs}, feeds(graph)
    infer_types(made, strict=True)
    assert {o.name: o.type for n in made.nodes for o in n.outputs} == expected
    same_numbers(interpret(graph, inputs), interpret(made, inputs), 1e-6)
    lost = np.isin(np.concatenate(list(found.makers.values())), np.concatenate(list(gone.values()))).sum()
    assert _outputs(graph, found) - _outputs(made, found) == lost


def _outputs(graph: Graph, found: Channels) -> int:
    """Of all layers that make channels."""
    nodes = [node for node in graph.nodes if node.name in found.makers]
    return sum(np.asarray(node.constant(1)).shape[node.op == "FusedGemm"] for node in nodes)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.__name__.strip("_"))
def test_each_kind_of_block_loses_channels_and_runs_elsewhere(block: Callable[..., object], tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    graph = _with(block)
    made, _, gone = shrunk(graph, 1.0)
    assert sum(len(classes) for classes in gone.values()) >= 8
    save(made, tmp_path / "made.onnx", portable=True)
    inputs = feeds(graph)
    session = onnxruntime.InferenceSession(tmp_path / "made.onnx", providers=["CPUExecutionProvider"])
    expected = next(iter(interpret(graph, inputs).values()))
    np.testing.assert_allclose(session.run(None, inputs)[0], expected, rtol=1e-4, atol=1e-4)


def _with(block: Callable[..., object]) -> Graph:
    class Only(Seeded):
        """Picks ``block`` where blocks are picked from."""

        def pick(self, options):  # type: ignore[no-untyped-def]
            return block if block in options else super().pick(options)

    return network(Draft(Only(1)), 2)


def test_golden(golden: Callable[[str, str], None]) -> None:
    lines = []
    for seed in range(3):
        graph = network(Draft(Seeded(seed)), 2)
        made, _, _ = shrunk(graph, 0.5)
        lines += [str(graph), str(made)]
    golden("prune_channels", "\n\n".join(lines))


def test_outputs_and_layers_in_groups_keep_all_channels() -> None:
    draft = Draft(Seeded(0))
    x = draft.input((1, 4, 4, 4))
    y = draft.conv(x, pad=0)
    z = draft.own("FusedConv", draft.own("FusedConv", x, draft.weight(4, 4, 1, 1)), draft.weight(6, 2, 1, 1), group=2)
    soft = draft.op("Softmax", draft.own("FusedConv", x, draft.weight(8, 4, 1, 1)), axis=1)
    s = draft.own("FusedConv", soft, draft.weight(2, 8, 1, 1))
    graph = closed(draft, y, z, s)
    assert groups_of(graph, channels_of(graph)) == {}


def test_one_group_goes_at_a_time() -> None:
    graph = network(Draft(Seeded(0)), 3)
    found = channels_of(graph)
    gone = {name: group.kinds[0][:1] for name, group in groups_of(graph, found).items()}
    unread(graph, found, np.concatenate(list(gone.values())))
    for limit in range(1, len(gone) + 1):
        made = clone(graph)
        assert run_pass(made, prune_channels.make(found, gone), Context(stop_after=limit)) == limit
        infer_types(made, strict=True)
        same_numbers(interpret(graph, feeds(graph)), interpret(made, feeds(graph)), 1e-6)
