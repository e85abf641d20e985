"""Recipes: which techniques and forms a search may use for which layers, as data.

A TOML file holds ``about`` and tables ``[[step]]`` with ``technique``, ``forms`` (the first is where the search starts, the
others are what it goes back to, worse ones first) and, if not for all, ``layers``: patterns as in file names. Of several steps of
one technique the first that names a layer holds for it. Layers go by the names that tables show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import combinations
from pathlib import Path
from typing import Any

from edgeopt.errors import EdgeoptError
from edgeopt.forms.form import Technique
from edgeopt.forms.registry import techniques
from edgeopt.ir import Graph
from edgeopt.recipe_file import in_folder, read_content, require_known, tables_of
from edgeopt.search.goal import Objective
from edgeopt.search.layer_names import layer_names, listed, require_layer
from edgeopt.search.limits import Limits
from edgeopt.search.timing import layer_name
from edgeopt.target import Target

FOLDER = Path(__file__).parent / "recipes"
KEYS = ("technique", "forms", "layers")
JOINT, SMALLEST, CODEWORDS = "joint", "joint-size", "joint-codewords"


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
        name = layer_name(layer)
        return next((s.forms for s in self.steps if s.technique == technique and s.covers(name)), ())

    def mildest(self, technique: str, layer: str) -> Sequence[str]:
        """The last of the forms that a layer may have: the one for when nothing can be verified."""
        return self.forms(technique, layer)[-1:]

    def idle(self, graph: Graph) -> list[str]:
        """What there is to say of steps that hold for no layer of ``graph``.

        Raises EdgeoptError where none holds for any, and for a layer that is named in full and is not there.
        """
        known, said, free = layer_names(graph), [], dict[str, set[str]]()
        for number, step in enumerate(self.steps, 1):
            for name in step.layers:
                if not set(name) & set("*?["):
                    require_layer(name, known, f"recipe '{self.name}', step {number}: ")
            left, named = free.setdefault(step.technique, set(known)), {name for name in known if step.covers(name)}
            if not named & left:
                why = "steps before it hold for its layers" if named else f"no layer is named so; {listed(known)}"
                said.append(f"recipe '{self.name}', step {number} changes nothing: {why}")
            left -= named
        if len(said) == len(self.steps):
            raise EdgeoptError(said[0])
        return said


def shipped() -> dict[str, Path]:
    """The recipes that come with edgeopt, by name."""
    return in_folder(FOLDER)


def read_recipe(name: str | Path) -> Recipe:
    """The recipe called ``name``, or that of a file. Raises EdgeoptError for one that is not there or says something odd."""
    return _recipe(str(name), read_content(name, shipped()))


def joint_recipe(limits: Limits, prefer: Objective, target: Target) -> str:
    """The name of what a joint search chooses from, unless forms are named.

    Where bytes alone count there are no integers, which take as many as other tables of values, but round activations besides.
    """
    if target.bare:
        return "joint-board"
    return SMALLEST if prefer == "size" and not set(limits.given) - {"size"} else JOINT


def _recipe(name: str, content: dict[str, Any]) -> Recipe:
    where = f"recipe '{name}'"
    require_known(where, content, ("about", "step"))
    steps = tuple(_step(f"{where}, step {i}", table) for i, table in enumerate(tables_of(where, content, "step"), 1))
    _require_one_technique_an_axis(name, steps)
    return Recipe(name, str(content.get("about", "")), steps)


def _step(where: str, table: dict[str, Any]) -> Step:
    require_known(where, table, KEYS)
    if "technique" not in table:
        raise EdgeoptError(f"{where}: it names no technique; known are {', '.join(techniques())}")
    technique = techniques().get(str(table["technique"]))
    if technique is None:
        raise EdgeoptError(f"{where}: unknown technique '{table['technique']}'; known are {', '.join(techniques())}")
    forms, layers = _words(where, table, "forms"), _words(where, table, "layers", ["*"])
    wrong = [form for form in forms if form not in technique.form_keys()]
    if wrong:
        raise EdgeoptError(f"{where}: {technique.name} has no form '{wrong[0]}'; `edgeopt forms` lists those there are")
    _require_falling(where, technique, forms)
    return Step(technique.name, forms, layers)


def _require_falling(where: str, technique: Technique, forms: Sequence[str]) -> None:
    """The last form is the one for when nothing can be verified, so gentler ones have to stand behind."""
    ranked = technique.axis != "structure"  # of which one is as good as another to start with
    for first, second in combinations(forms, 2):
        if ranked and first in technique.finer(second):
            raise EdgeoptError(f"{where}: '{second}' goes further than '{first}'; put it in front, gentler forms stand last")


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
