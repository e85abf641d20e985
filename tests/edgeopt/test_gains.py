"""Which layers pay: what is timed is what was asked for."""

from __future__ import annotations

import pytest

from edgeopt.cli.gains import _cells, _verdict
from edgeopt.examine.gains import Gains, LayerGain
from edgeopt.frontend import load
from edgeopt.report.quantization import layer_rows
from edgeopt.search.sketch import sketched
from edgeopt.target import target
from tests.edgeopt.bright_quarters import network


@pytest.mark.parametrize(("scheme", "layers"), [("w8a8", "Quant"), ("w8a16", "Quant"), ("w8", "Hybrid")])
def test_without_batch_norm_and_data_the_scheme_that_is_asked_for_is_timed(scheme: str, layers: str) -> None:
    float_graph, changed = sketched(load(network()), scheme, target("host"), 3)
    assert {"FusedConv", "FusedGemm"} <= {node.op for node in float_graph.nodes}
    assert {f"{layers}Conv", f"{layers}Gemm"} <= {node.op for node in changed.nodes}


@pytest.mark.parametrize(("before", "after"), [(0.0, 5e-7), (5e-7, 0.0), (3e-8, 9e-8), (2e-5, 9e-8)])
def test_what_is_too_short_to_be_measured_is_no_figure(before: float, after: float) -> None:
    short, long = LayerGain("short", before, after), LayerGain("long", 4e-6, 2e-6)
    cells = _cells(short)
    assert "<0.1" in cells and cells[3:] == ("-", "-") and short.pays is None
    assert _cells(long) == ("long", "4.00", "2.00", "2.00x", "yes")
    said = _verdict(Gains("host", "w8a8", True, (short, long), long))
    assert "pays in 1 of 1 layers (1 more" in said
    record = {"layer": "short", "form": "w8a8", "float_seconds": before, "seconds": after, "error": None, "reason": ""}
    (row,) = layer_rows([record])
    assert "0.00" not in row and "<0.1" in row and row[4] == "-"
