"""Recipes of training say what they mean, and odd ones are refused with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeopt.errors import EdgeoptError

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


def test_a_name_that_is_no_recipe_is_refused() -> None:
    with pytest.raises(EdgeoptError, match="unknown recipe 'magic'; there are deep-compression"):
        read_recipe("magic")
