"""The short form of ``python -m benchmarks.faults --links loopback``: three processes, a few requests for every fault."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.faults.__main__ import SLACK
from benchmarks.faults.experiment import phases, run
from benchmarks.faults.links import Loopback
from benchmarks.faults.placement import write_plan
from tests.edgeopt.small_models import convolution

DEADLINE, PER_PHASE = 0.25, 6  # seconds, requests


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("faults")
    onnx.save(convolution(), place / "small.onnx")
    write_plan(place / "small.onnx", place)
    return place


def test_no_answer_is_lost_wrong_or_late(folder: Path) -> None:
    links = Loopback()
    try:
        count = PER_PHASE * len(phases(links))
        found = run(links, folder, count, DEADLINE, pause=0.02)
    finally:
        links.close()
    assert len(found) == count
    assert [a.reason for a in found if not a.where] == []
    assert [a.error for a in found if a.wrong] == []
    assert {"device"} < {a.where for a in found}, "servers and the device both answered"
    assert float(np.quantile([a.seconds for a in found], 0.9)) <= DEADLINE + SLACK
