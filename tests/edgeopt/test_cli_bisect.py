"""edgeopt bisect finds the rewrite that a deliberately wrong pass made."""

from __future__ import annotations

import pytest

from edgeopt import pipeline
from edgeopt.cli.bisect import first_true
from edgeopt.ir import Graph, Node
from edgeopt.rewrite import Context, Pass
from tests.edgeopt.command_line import DIGITS, edgeopt


def _drop_third_relu(graph: Graph, node: Node, context: Context) -> bool:
    """Wrong on purpose: takes the ReLU after the pointwise convolution for an identity."""
    if node.name != "relu_8" or node.inputs[0] is None:
        return False
    graph.replace(node.output, node.inputs[0])
    graph.erase(node)
    return True


WRONG = pipeline.Stage(Pass("drop_third_relu", _drop_third_relu, roots=("Relu",)), "to be caught")


def test_correct_passes_have_no_culprit() -> None:
    result = edgeopt("bisect", DIGITS)
    assert result.exit_code == 0 and "no rewrite changes the outputs" in result.stdout, result.stderr


def test_a_wrong_pass_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = list(pipeline.PIPELINE)
    at = next(i for i, stage in enumerate(stages) if stage.pass_.name == "fold_scale_after")
    monkeypatch.setattr(pipeline, "PIPELINE", (*stages[:at], WRONG, *stages[at:]))
    result = edgeopt("bisect", DIGITS)
    assert result.exit_code == 1, result.stderr
    assert "by the pass 'drop_third_relu'" in result.stdout
    assert "- " in result.stdout and "Relu" in result.stdout


def test_a_selection_without_the_wrong_pass_has_no_culprit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "PIPELINE", (WRONG, *pipeline.PIPELINE))
    assert edgeopt("bisect", DIGITS, "--passes", "canonicalize_conv,dead_code").exit_code == 0
    assert edgeopt("bisect", DIGITS, "--passes", "drop_third_relu").exit_code == 1


@pytest.mark.parametrize(("first", "last"), [(1, 1), (1, 9), (5, 9), (9, 9), (6, 1000)])
def test_halving_finds_the_first(first: int, last: int) -> None:
    asked: list[int] = []

    def test(n: int) -> bool:
        asked.append(n)
        return n >= first

    assert first_true(test, last) == first
    assert len(asked) <= last.bit_length()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--forms", "w4a8"), "--forms has no effect here: it is for --max-drop"),
        (("--data", DIGITS), "--data has no effect here: it is for --max-drop"),
        (("--max-drop", "1", "--data", DIGITS, "-O", "2"), "-O has no effect here: --max-drop looks for a layer"),
        (("--max-drop", "1", "--data", DIGITS, "--input", DIGITS), "--input has no effect here: --max-drop looks for a layer"),
    ],
)
def test_what_is_for_the_other_search_is_refused(given: tuple[str, ...], said: str) -> None:
    result = edgeopt("bisect", DIGITS, *given)
    assert result.exit_code == 2 and said in result.stderr
