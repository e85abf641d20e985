"""The report of a compiled model: well formed, complete, nothing from outside, nothing unescaped."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt
from edgeopt.report.bars import bars
from edgeopt.report.drawing import drawing, timeline
from edgeopt.report.page import page
from edgeopt.report.quantization import FASTER, _pair, layer_rows, summary_rows
from edgeopt.report.record import report_of, summary_of

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
VOID = {"meta", "input"}


class Balanced(HTMLParser):
    """Checks that every tag is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not any(key in ("src", "href") for key, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def texts_of(html: str) -> str:
    parser = Balanced()
    parser.feed(html)
    assert parser.open == []
    return "\n".join(parser.texts)


@pytest.fixture(scope="module")
def compiled() -> edgeopt.CompiledModel:
    return edgeopt.compile(EXAMPLES / "digits.onnx", level=3, target="cortex-a76", options=edgeopt.Options(quantize="w8a8"))


def test_the_page_shows_what_was_decided(compiled: edgeopt.CompiledModel) -> None:
    text = texts_of(page(report_of(compiled.manifest)))
    record = compiled.manifest["quantization"]
    for row in [*summary_rows(summary_of(compiled.manifest)), *layer_rows(record["layers"])]:
        assert all(cell in text for cell in row)
    assert all(kernel["kernel"] in text for kernel in compiled.manifest["kernels"])


def test_it_is_saved_with_the_model(compiled: edgeopt.CompiledModel, tmp_path: Path) -> None:
    compiled.save(tmp_path / "m")
    assert "Before and after" in texts_of((tmp_path / "m" / "report.html").read_text())


def test_names_cannot_break_out(compiled: edgeopt.CompiledModel) -> None:
    manifest = {**compiled.manifest, "model": "<script>alert(1)</script>", "notes": ["<img src=x>"]}
    html = page(report_of(manifest))
    assert html.count("<script") == page(report_of(compiled.manifest)).count("<script") == 1  # its own, which searches the graph
    assert "<script>alert" not in html and "<img" not in html and "alert(1)" in texts_of(html)
    assert page(report_of({**manifest, "source_file": "<script>.onnx"})).count("<script") == 1


def test_the_title_is_the_file_and_not_what_exporters_call_every_graph(compiled: edgeopt.CompiledModel) -> None:
    manifest = {**compiled.manifest, "model": "main_graph", "source_file": "resnet.v2.onnx"}
    assert "<title>resnet.v2 - edgeopt</title>" in page(report_of(manifest)) and "<h1>resnet.v2</h1>" in page(report_of(manifest))
    assert "graph 'main_graph'" in texts_of(page(report_of(manifest)))
    assert "<h1>main_graph</h1>" in page(report_of({**manifest, "source_file": None}))


values = st.floats(0, 1e9, allow_nan=False)


@given(rows=st.lists(st.tuples(st.text(st.characters(categories=("L", "N", "P")), max_size=60), values, values), max_size=8))
def test_bars_fit_the_picture(rows: list[tuple[str, float, float]]) -> None:
    root = ElementTree.fromstring(bars(rows))
    width = float(root.attrib["viewBox"].split()[2])
    for bar in root.iter("rect"):
        assert 0 < float(bar.attrib["width"]) <= width - float(bar.attrib["x"])
    assert sum(1 for _ in root.iter("rect")) == sum((before > 0) + (after > 0) for _, before, after in rows)


def test_a_layer_that_became_too_short_to_measure_says_so_beside_its_bar() -> None:
    root = ElementTree.fromstring(bars([("a", 1.0, 0.0), ("b", 0.0, 0.0), ("c", 0.0, 2.0)], nothing="too short"))
    said = [float(text.attrib["y"]) for text in root.iter("text") if text.text == "too short"]
    first, last = (float(bar.attrib["y"]) for bar in root.iter("rect"))
    assert len(said) == 2 and first < said[0] < said[1] < last < float(root.attrib["viewBox"].split()[3])


def test_the_graph_is_drawn_by_form_and_the_arena_over_the_steps(compiled: edgeopt.CompiledModel) -> None:
    html = page(report_of(compiled.manifest))
    assert "digits.onnx" in texts_of(html)
    picture = ElementTree.fromstring(drawing(report_of(compiled.manifest)))
    kinds = [rect.get("class") for rect in picture.iter("rect")]
    nodes = compiled.manifest["nodes"]
    assert len(kinds) == len(nodes) == len(compiled.graph.nodes) and "integer" in kinds
    assert len(list(picture.iter("path"))) == sum(len(node["reads"]) for node in nodes)
    assert "@media print" in html and "max-width:30rem" in html


def test_a_size_stands_where_no_other_block_covers_it() -> None:
    """Eight results, each in the place of its operand: of all but the last one a step is seen, too little for a number."""
    chain = [(0, 8000, step, step + 1) for step in range(7)]
    shown = [text.text for text in ElementTree.fromstring(timeline([*chain, (0, 8000, 7, 12)], 13, 8000)).iter("text")]
    assert shown.count("8,000") == 1
    apart = [(0, 4000, 0, 12), (4000, 4000, 0, 12)]
    assert [text.text for text in ElementTree.fromstring(timeline(apart, 13, 8000)).iter("text")].count("4,000") == 2


def test_buffers_of_the_timeline_lie_in_the_arena_apart(compiled: edgeopt.CompiledModel) -> None:
    arena, buffers = compiled.manifest["arena_bytes"], compiled.manifest["buffers"]
    assert buffers and max(offset + size for offset, size, _, _ in buffers) <= arena
    for i, (offset, size, first, last) in enumerate(buffers):
        for other, more, begin, end in buffers[:i]:
            assert offset + size <= other or other + more <= offset or last <= begin or end <= first  # or in place
    assert timeline([], 3, 100) == "" and ElementTree.fromstring(timeline(buffers, 9, arena)).tag == "svg"
    many = {"layers": [], "nodes": [{"name": "n", "op": "<Relu>", "output": "", "reads": [0] if i else []} for i in range(500)]}
    assert "and 100 more" in drawing(many) and "<Relu>" not in drawing(many)


@pytest.mark.parametrize(("seconds", "said"), [(0.5, "2.00x faster"), (2.0, "2.00x slower"), (0.0, "-")])
def test_what_takes_longer_is_slower(seconds: float, said: str) -> None:
    assert _pair(1.0, seconds, 1e3, "{:.4g}", FASTER)[2] == said
