"""A selector sends easy inputs to the small variant and the others to the accurate one, keeps deadlines, and is read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, helper, numpy_helper

import edgeopt
from edgeopt.errors import EdgeoptError
from edgeopt.explore.selector import features, fitted, read_selector
from tests.edgeopt import small_models


def threshold(at: float) -> ModelProto:
    """Decides whether the mean of eight numbers is above ``at``."""
    weight = np.array([[-0.5, 0.5]] * 8, np.float32)
    bias = np.array([4 * at, -4 * at], np.float32)
    constants = [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")]
    nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["y"], "layer")]
    return small_models.model(nodes, [small_models.info("x", (1, 8))], [small_models.info("y", (1, 2))], constants)


def test_easy_inputs_go_to_the_small_variant(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((800, 1)) * 2 + 0.1 * rng.standard_normal((800, 8))).astype(np.float32)
    for name, at in (("small", 1.0), ("large", 0.0)):  # they differ where the mean lies between
        edgeopt.compile(threshold(at)).save(tmp_path / name)
    made = fitted([tmp_path / "small", tmp_path / "large"], {"x": x[:400]}, [1e-6, 5e-6], share=0.9)
    made.save(tmp_path / "selector.json")
    made = read_selector(tmp_path / "selector.json")
    unseen, mean = x[400:], x[400:].mean(axis=1)
    small = np.array([made.choose(sample).folder.endswith("small") for sample in unseen])
    hard = (mean > 0.1) & (mean < 0.9)
    assert hard.sum() > 20 and small[hard].mean() < 0.1 and small[(mean < -1) | (mean > 2)].mean() > 0.9
    one = unseen[hard][:1]
    assert made.choose(one[0], deadline=2e-6).folder.endswith("small")
    assert int(made.run({"x": one})["y"].argmax()) == 1 and int(made.run({"x": one}, 2e-6)["y"].argmax()) == 0
    strange = np.full(8, 1e6, np.float32)
    assert made.choose(strange).folder.endswith("large")  # nothing like it was seen


def test_few_samples_and_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EdgeoptError, match="at least 20 samples; there are 3"):
        fitted([], {"x": np.zeros((3, 8), np.float32)}, [])
    short = '{"folder": "a", "seconds": 1, "weights": [1], "bias": 0, "means": [0], "scales": [1]}'
    for variants in ("[{}]", "[]", f"[{short}]", 9**5 * "["):
        (tmp_path / "s.json").write_text(f'{{"share": 1, "variants": {variants}}}')
        with pytest.raises(EdgeoptError, match="is no selector"):
            read_selector(tmp_path / "s.json")


def test_features_are_finite_for_inputs_of_any_rank() -> None:
    for shape in ((4,), (3, 8, 8), (1, 1)):
        assert np.isfinite(features(np.ones(shape, np.float32))).all()
