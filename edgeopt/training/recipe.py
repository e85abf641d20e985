"""Recipes of training, as data.

A TOML file holds ``about``, ``epochs``, ``batch``, ``augmentation``, ``teacher`` and tables ``[[phase]]`` with the ``kind`` of a
phase and what it is told: the fields of the class of that kind in ``phases/``. ``forms`` are those of the technique ``quantize``
for patterns of names of layers, the first that fits holds; layers that none fits stay in float.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any

from edgeopt.errors import EdgeoptError
from edgeopt.forms.exit.technique import EarlyExit
from edgeopt.forms.product_quantize.rates import RATES
from edgeopt.forms.product_quantize.session import INT8
from edgeopt.forms.registry import techniques, wanted
from edgeopt.ops.grid import SCHEMES
from edgeopt.recipe_file import in_folder, read_content, require_known, tables_of
from edgeopt.search.layer_names import fits
from edgeopt.training import recipe_values as values
from edgeopt.training.augmentation import CHANGES, SHIFT, Augmentation
from edgeopt.training.losses import TEACHER
from edgeopt.training.narrow import NARROW
from edgeopt.training.phase import Phase
from edgeopt.training.phases.exits import Exits
from edgeopt.training.phases.finetune import Finetune
from edgeopt.training.phases.lookup import Lookup
from edgeopt.training.phases.prune import Prune
from edgeopt.training.phases.quantize import Quantize
from edgeopt.training.phases.share import Share

PATIENCE = 6
FOLDER = Path(__file__).parent / "recipes"
PHASES: tuple[type[Any], ...] = (Finetune, Prune, Quantize, Share, Lookup, Exits)
KINDS: dict[str, type[Any]] = {kind.kind: kind for kind in PHASES}
STEPS = ("about", "epochs", "steps", "batch", "augmentation", "teacher", "patience", "phase")
KEYS = (*STEPS, "shift", "structure", "forms", "ends", "exits", "max_drop")
CODED = ({"share"}, {"quantize", "lookup"})  # kinds whose weights have codes, which only those of the same set go on with
FORMS = (*SCHEMES, *NARROW, *RATES, INT8)


@dataclass(frozen=True)
class TrainingRecipe:
    """``phases`` share ``epochs``. ``forms``: pattern -> form of quantization; ``ends``: that of the first and last layer.

    There are ``steps`` at least, however few samples there are, which are then trained on in smaller batches; 0 for as it comes.
    ``teacher`` is the weight of the outputs of the original network beside labels, from 0 to 1.
    ``structure`` lists forms of techniques that replace layers before anything is trained, as for ``--forms``.
    A phase ends when ``patience`` looks at held-out samples in a row see nothing better; 0 for never. ``exits`` is the form of
    early exits that what was trained gets, which may lose ``max_drop`` points.
    """

    name: str
    about: str
    phases: tuple[Phase, ...]
    epochs: float = 20.0
    batch: int = 128
    augmentation: Augmentation = Augmentation()
    forms: tuple[tuple[str, str], ...] = ()
    ends: str = ""
    teacher: float = TEACHER
    structure: str = ""
    patience: int = PATIENCE
    exits: str = ""
    max_drop: float = 1.0
    steps: int = 0

    def form(self, layer: str) -> str | None:
        """The form of quantization that a layer takes, by its name as it is shown or in the graph; None for float."""
        return next((form for pattern, form in self.forms if fits(pattern, layer)), None)


def shipped() -> dict[str, Path]:
    """The recipes that come with edgeopt, by name."""
    return in_folder(FOLDER)


def read_recipe(name: str | Path) -> TrainingRecipe:
    """The recipe called ``name``, or that of a file. Raises EdgeoptError for one that is not there or says something odd."""
    return _recipe(str(name), read_content(name, shipped()))


def _recipe(name: str, content: dict[str, Any]) -> TrainingRecipe:
    where = f"recipe '{name}'"
    require_known(where, content, KEYS)
    tables = [] if "exits" in content and "phase" not in content else tables_of(where, content, "phase")
    phases = tuple(_phase(f"{where}, phase {i}", table) for i, table in enumerate(tables, 1))
    made = TrainingRecipe(
        name,
        str(content.get("about", "")),
        phases,
        values.number(where, content, "epochs", 20.0),
        values.whole(where, content, "batch", 128, 1),
        _augmentation(where, content),
        tuple((str(k), values.word(where, "forms", v, FORMS)) for k, v in values.table_of(where, content, "forms").items()),
        values.word(where, "ends", content["ends"], FORMS) if "ends" in content else "",
        min(1.0, values.number(where, content, "teacher", TEACHER)),
        _structure(where, str(content.get("structure", ""))),
        values.whole(where, content, "patience", PATIENCE),
        values.word(where, "exits", content["exits"], tuple(EarlyExit().form_keys())) if "exits" in content else "",
        values.number(where, content, "max_drop", 1.0),
        values.whole(where, content, "steps", 0),
    )
    _require_forms(where, made)
    _require_order(where, phases)
    return made


def _augmentation(where: str, content: Mapping[str, Any]) -> Augmentation:
    made = Augmentation(
        values.words(where, content, "augmentation", CHANGES), min(1.0, values.number(where, content, "shift", SHIFT))
    )
    if made.mixes and content.get("teacher") == 0:
        raise EdgeoptError(
            f"{where}: no label fits samples that are mixed; give the original outputs a weight (teacher), or no 'mix'"
        )
    return made


def _require_forms(where: str, made: TrainingRecipe) -> None:
    """Raises EdgeoptError for a phase that needs other forms than there are."""
    kinds, words = {phase.kind for phase in made.phases}, [form for _, form in made.forms]
    total = sum(phase.share for phase in made.phases)
    if made.phases and not 0 < total < inf:
        raise EdgeoptError(f"{where}: " + ("no phase has a share of the steps" if not total else f"shares add up to {total}"))
    if (words or made.ends) and not kinds & {"quantize", "lookup"}:
        raise EdgeoptError(f"{where}: it has [forms] or ends, but no phase 'quantize' or 'lookup' that makes them")
    if kinds & {"quantize", "lookup"} and not words:
        raise EdgeoptError(f"{where}: a phase quantizes, but no table [forms] says to what")
    if ("lookup" in kinds) != any(word in RATES for word in words):
        raise EdgeoptError(f"{where}: a phase 'lookup' goes with codewords among [forms], {', '.join(RATES)}; one is there alone")


def _require_order(where: str, phases: Sequence[Phase]) -> None:
    """Raises EdgeoptError where weights that have their codes would be trained on without them: one of both would be lost."""
    for index, (first, then) in enumerate(pairwise(phases), 2):
        if any(first.kind in kinds and then.kind not in kinds for kinds in CODED):
            raise EdgeoptError(
                f"{where}: phase {index} '{then.kind}' would undo '{first.kind}' before it; put '{first.kind}' last"
            )


def _structure(where: str, text: str) -> str:
    odd = [name for name in wanted(text) if techniques()[name].axis != "structure"] if text else []
    if odd:
        raise EdgeoptError(f"{where}: {odd[0]} replaces no layers; give it as a phase, or among [forms]")
    return text


def _phase(where: str, table: Mapping[str, Any]) -> Phase:
    kind = KINDS.get(str(table.get("kind")))
    if kind is None:
        raise EdgeoptError(f"{where}: unknown kind '{table.get('kind')}'; known are {', '.join(KINDS)}")
    told = [f for f in fields(kind) if not f.name.startswith("_") and f.name not in ("kind", "normalized")]
    require_known(where, table, ("kind", *(f.name for f in told)))
    missing = [f.name for f in told if f.default is MISSING and f.default_factory is MISSING and f.name not in table]
    if missing:
        raise EdgeoptError(f"{where}: '{missing[0]}' is missing")
    given = {f.name: values.of_phase(where, f.name, table) for f in told if f.name in table}
    return kind(**given)  # type: ignore[no-any-return]
