"""ONNX's own node tests through the compiler: a sample of every core operator here, all of them by its coverage command."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest

from edgeopt.conformance.coverage import CORE, Outcome, check, node_tests, operator, report, run_case

PER_OPERATOR = 3


@pytest.fixture(scope="module")
def cases() -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for case in node_tests():
        found.setdefault(operator(case), []).append(case)
    return found


@pytest.mark.parametrize("op", sorted(CORE))
def test_core_operator(op: str, cases: dict[str, list[Any]]) -> None:
    outcomes = [run_case(case) for case in islice(cases[op], PER_OPERATOR)]
    failures = [f"{o.name}: {o.reason}" for o in outcomes if o.status == "failed"]
    assert not failures


def test_a_wrong_number_is_no_pass() -> None:
    wanted = np.ones(3, np.float32)
    check([wanted], [wanted], 1e-3, 1e-7)
    for wrong in (wanted * 1.01, wanted[:2], wanted.astype(np.float64)):
        with pytest.raises(AssertionError):
            check([wrong], [wanted], 1e-3, 1e-7)


def test_the_report_counts() -> None:
    text = report([Outcome("a", "Relu", "native"), Outcome("b", "Relu", "failed", "it | broke"), Outcome("c", "Odd", "fallback")])
    assert "| Relu | 2 | 1 | 1 |" in text and "| Odd | 1 | 1 | 0 |" in text and "| b | it / broke |" in text
