"""Which layers pay: what is timed is what was asked for."""

from __future__ import annotations

import pytest

from edgeopt.frontend import load
from edgeopt.search.run import sketched
from edgeopt.target import target
from tests.edgeopt.bright_quarters import network


@pytest.mark.parametrize(("scheme", "layers"), [("w8a8", "Quant"), ("w8a16", "Quant"), ("w8", "Hybrid")])
def test_without_batch_norm_and_data_the_scheme_that_is_asked_for_is_timed(scheme: str, layers: str) -> None:
    float_graph, changed = sketched(load(network()), scheme, target("host"), 3)
    assert {"FusedConv", "FusedGemm"} <= {node.op for node in float_graph.nodes}
    assert {f"{layers}Conv", f"{layers}Gemm"} <= {node.op for node in changed.nodes}
