"""Recipes of training say what they mean, and odd ones are refused with the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import edgeopt
from edgeopt.errors import EdgeoptError
from edgeopt.search.layer_names import fits
from tests.edgeopt.command_line import edgeopt as command
from tests.edgeopt.training.stripes import network, samples

pytest.importorskip("jax", reason="the extra 'tune' is not installed")

from edgeopt.training.recipe import read_recipe, shipped

ODD = {
    'epoch = 3\n[[phase]]\nkind = "prune"\nkeep = 0.1\n': "unknown key 'epoch'",
    "epochs = 3\n": "there is no table",
    '[[phase]]\nkind = "dream"\n': "unknown kind 'dream'; known are finetune, prune",
    '[[phase]]\nkind = "prune"\n': "'keep' is missing",
    '[[phase]]\nkind = "prune"\nkeep = "few"\n': "is no number",
    '[[phase]]\nkind = "prune"\nkeep = 0.1\npattern = "5x5"\n': "pattern has no '5x5'",
    '[[phase]]\nkind = "quantize"\n': "no table",
    '[forms]\n"*" = "w3"\n[[phase]]\nkind = "quantize"\n': "forms has no 'w3'",
    'augmentation = ["spin"]\n[[phase]]\nkind = "finetune"\n': "augmentation has no 'spin'",
    "[[phase]\n": "is no TOML",
    'batch = 0\n[[phase]]\nkind = "finetune"\n': "batch = 0 is no whole number from 1",
    'batch = 2.5\n[[phase]]\nkind = "finetune"\n': "batch = 2.5 is no whole number",
    'epochs = nan\n[[phase]]\nkind = "finetune"\n': "epochs = nan is no number",
    'patience = inf\n[[phase]]\nkind = "finetune"\n': "patience = inf is no number",
    'teacher = 0\naugmentation = ["mix"]\n[[phase]]\nkind = "finetune"\n': "no label fits samples that are mixed",
    'augmentation = "flip"\n[[phase]]\nkind = "finetune"\n': "augmentation = 'flip' is no list",
    'forms = "w4a8"\n[[phase]]\nkind = "quantize"\n': "forms = 'w4a8' is no table",
    '[[phase]]\nkind = "finetune"\nshare = 0\n': "no phase has a share",
    '[[phase]]\nkind = "prune"\nkeep = 0\n': "keep = 0.0 is no share of the weights",
    '[[phase]]\nkind = "prune"\nkeep = 90\n': "keep = 90.0 is no share of the weights",
    '[[phase]]\nkind = "prune"\nkeep = 0.1\npattern = "N:4"\n': "leaves none of 4 neighbours; 0.25 leaves one",
    '[[phase]]\nkind = "share"\nbits = 40\n': "bits = 40 is no whole number from 1 to 8",
    '[[phase]]\nkind = "share"\nbits = {"*" = "few"}\n': "bits = 'few' is no number",
    '[forms]\n"*" = "w8a8"\n[[phase]]\nkind = "finetune"\n': "no phase 'quantize' or 'lookup' that makes them",
    'ends = "w8a8"\n[[phase]]\nkind = "finetune"\n': "no phase 'quantize' or 'lookup' that makes them",
    '[forms]\n"*" = "w8a8"\n[[phase]]\nkind = "quantize"\n[[phase]]\nkind = "prune"\nkeep = 0.3\n': (
        "phase 2 'prune' would undo 'quantize' before it; put 'quantize' last"
    ),
    '[[phase]]\nkind = "share"\n[[phase]]\nkind = "finetune"\n': "phase 2 'finetune' would undo 'share'",
    '[[phase]]\nkind = "finetune"\nshare = 1e308\n[[phase]]\nkind = "finetune"\nshare = 1e308\n': "shares add up to inf",
    "a = " + "[" * 3000: "lie too deep",
}


@pytest.mark.parametrize("name", sorted(shipped()))
def test_shipped_recipes_are_read(name: str) -> None:
    made = read_recipe(name)
    assert made.about and (made.phases or made.exits)


@pytest.mark.parametrize("text", ODD)
def test_odd_recipes_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(EdgeoptError, match=ODD[text].replace("[", r"\[")):
        read_recipe(path)


def test_a_layer_is_known_by_its_name_as_it_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text('[forms]\n"conv0" = "w8a8"\n[[phase]]\nkind = "quantize"\n')
    made = read_recipe(path)
    assert [made.form(name) for name in ("conv0~14", "conv0", "conv01~3")] == ["w8a8", "w8a8", None]


def test_a_number_that_a_rewrite_gave_fits_no_pattern() -> None:
    """The 1 of 'gemm~13' made "*1*" mean this layer, too."""
    assert [fits(pattern, "gemm~13") for pattern in ("*1*", "gemm", "gemm~13", "gemm~*")] == [False, True, True, True]


def test_a_name_that_is_no_recipe_is_refused() -> None:
    with pytest.raises(EdgeoptError, match="unknown recipe 'magic'; there are deep-compression"):
        read_recipe("magic")
    with pytest.raises(EdgeoptError, match="unknown recipe 'qat-w8a9'; did you mean qat-w8a8 .*There are deep-compression"):
        read_recipe("qat-w8a9")


def test_a_name_that_is_no_recipe_is_wrong_usage(tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "stripes.onnx")
    np.savez(tmp_path / "train.npz", **samples(60).arrays)  # type: ignore[arg-type]
    given = ("--train", tmp_path / "train.npz", "--recipe", "qat-w8a9", "-o", tmp_path / "made")
    result = command("tune", tmp_path / "stripes.onnx", *given)
    assert result.exit_code == 2 and "did you mean qat-w8a8" in result.stderr


@pytest.mark.parametrize(
    "given", [{"epochs": 0}, {"epochs": float("nan")}, {"minutes": -1}, {"batch": 0}, {"batch": 2.5}, {"checkpoints": 3}]
)
def test_numbers_of_which_there_is_no_training_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(EdgeoptError, match=next(iter(given))):
        edgeopt.tune(network(), samples(60), **given)


def test_checkpoints_that_have_no_place_are_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgeoptError, match="is no folder"):
        edgeopt.tune(network(), samples(60), checkpoints=tmp_path / "file" / "c")


@pytest.mark.parametrize(("train", "given"), [(None, {}), (np.zeros(3), {}), (samples(60), {"recipe": 5})])
def test_arguments_of_other_types_are_refused(train: Any, given: dict[str, Any]) -> None:
    with pytest.raises(EdgeoptError, match="is of type"):
        edgeopt.tune(network(), train, **given)


def test_forms_that_fit_no_layer_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text('batch = 16\n[forms]\n"zzz*" = "w8a8"\n[[phase]]\nkind = "quantize"\n')
    with pytest.raises(EdgeoptError, match=r"\[forms\] fits no layer; there are conv0, conv1, gemm"):
        edgeopt.tune(network(), samples(60), path)


def test_bits_that_fit_no_layer_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text('batch = 16\n[[phase]]\nkind = "share"\nbits = {"zzz*" = 2}\n')
    with pytest.raises(EdgeoptError, match="bits fit no layer; there are conv0, conv1, gemm"):
        edgeopt.tune(network(), samples(60), path)


def test_blocks_that_fit_into_no_layer_are_refused() -> None:
    with pytest.raises(EdgeoptError, match="no layer large enough for the pattern '16x4' of recipe 'prune-blocks'"):
        edgeopt.tune(network(), samples(60), "prune-blocks", batch=16, epochs=1)
