"""The report's search box finds what the picture draws; networks that were tried are drawn with the chosen one marked."""

from __future__ import annotations

import re

from edgeopt.report.controls import controls
from edgeopt.report.drawing import drawing
from edgeopt.report.tried import tried

NODES = [{"name": f"layer_{k}", "op": "Conv", "output": "float32[1]", "reads": [k - 1] if k else []} for k in range(3)]


def test_the_script_names_elements_that_are_there() -> None:
    page = controls(drawing({"nodes": NODES, "layers": []}))
    wanted = set(re.findall(r"getElementById\('(\w+)'\)", page)) | {"larger", "smaller"}
    assert wanted == {"find", "found", "larger", "smaller"} and all(f'id="{name}"' in page for name in wanted)
    assert page.count("<g>") == len(NODES) and 'id="graph"' in page and "http" not in page


def test_what_was_tried_is_drawn_with_the_exact_and_the_chosen_network_marked() -> None:
    points = [{"metric": 99.0 - k, "latency": 1e-3 / (k + 1), "size": 1e4 / (k + 1)} for k in range(4)]
    page = tried(points, "accuracy")
    assert page.count('<svg class="plot"') == 2
    assert page.count("<circle") == 2 * (2 + 1) and page.count("<polygon") == 2 * (2 + 2)  # one more of each kind in the key
    assert tried(points[:1], "accuracy").count("<polygon") == 2 * (1 + 2)
