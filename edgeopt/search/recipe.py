"""Recipes: which techniques and forms a search may use for which layers, as data.

A TOML file holds ``about`` and tables ``[[step]]`` with ``technique``, ``forms`` (the first is where the search starts, the
others are what it goes back to, worse ones first) and, if not for all, ``layers``: patterns as in file names. Of several steps of
one technique the first that names a layer holds for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from edgeopt.errors import EdgeoptError
from edgeopt.forms.registry import techniques
from edgeopt.recipe_file import in_folder, read_content, require_known, tables_of

FOLDER = Path(__file__).parent / "recipes"
KEYS = ("technique", "forms", "layers")


@dataclass(frozen=True)
class Step:
    """One technique, its forms in the order in which they are tried, and patterns of the names of layers."""

    technique: str
    forms: tuple[str, ...]
    layers: tuple[str, ...] = ("*",)

    def covers(self, layer: str) -> bool:
        """Whether it is for the layer of this name."""
        return any(fnmatchcase(layer, pattern) for pattern in self.layers)


@dataclass(frozen=True)
class Recipe:
    """Steps, in any order: techniques are solved and applied in that of their axes."""

    name: str
    about: str
    steps: tuple[Step, ...]

    @property
    def keys(self) -> dict[str, tuple[str, ...]]:
        """The forms of each technique."""
        found: dict[str, tuple[str, ...]] = {}
        for step in self.steps:
            found[step.technique] = tuple(dict.fromkeys((*found.get(step.technique, ()), *step.forms)))
        return found

    def forms(self, technique: str, layer: str) -> Sequence[str]:
        """What the layer may become by a technique; the first comes first."""
        return next((s.forms for s in self.steps if s.technique == technique and s.covers(layer)), ())

    def mildest(self, technique: str, layer: str) -> Sequence[str]:
        """The last of the forms that a layer may have: the one for when nothing can be verified."""
        return self.forms(technique, layer)[-1:]


def shipped() -> dict[str, Path]:
    """The recipes that come with edgeopt, by name."""
    return in_folder(FOLDER)


def read_recipe(name: str | Path) -> Recipe:
    """The recipe called ``name``, or that of a file. Raises EdgeoptError for one that is not there or says something odd."""
    return _recipe(str(name), read_content(name, shipped()))


def _recipe(name: str, content: dict[str, Any]) -> Recipe:
    where = f"recipe '{name}'"
    require_known(where, content, ("about", "step"))
    steps = tuple(_step(f"{where}, step {i}", table) for i, table in enumerate(tables_of(where, content, "step"), 1))
    _require_one_technique_an_axis(name, steps)
    return Recipe(name, str(content.get("about", "")), steps)


def _step(where: str, table: dict[str, Any]) -> Step:
    require_known(where, table, KEYS)
    technique = techniques().get(str(table.get("technique")))
    if technique is None:
        raise EdgeoptError(f"{where}: unknown technique '{table.get('technique')}'; known are {', '.join(techniques())}")
    forms, layers = _words(where, table, "forms"), _words(where, table, "layers", ["*"])
    wrong = [form for form in forms if form not in technique.form_keys()]
    if wrong:
        raise EdgeoptError(f"{where}: {technique.name} has no form '{wrong[0]}'; `edgeopt forms` lists those there are")
    return Step(technique.name, forms, layers)


def _words(where: str, table: dict[str, Any], key: str, otherwise: list[str] | None = None) -> tuple[str, ...]:
    words = table.get(key, otherwise)
    if not isinstance(words, list) or not words or not all(isinstance(w, str) for w in words):
        raise EdgeoptError(f'{where}: {key} must be a list of words, as in {key} = ["..."]')
    return tuple(words)


def _require_one_technique_an_axis(name: str, steps: Sequence[Step]) -> None:
    axes: dict[str, str] = {}
    for step in steps:
        axis = techniques()[step.technique].axis
        if axis != "structure" and axes.setdefault(axis, step.technique) != step.technique:
            raise EdgeoptError(f"recipe '{name}': {axes[axis]} and {step.technique} both change the {axis} of a layer; keep one")
