"""The list of techniques, and how a user names forms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from edgeopt.errors import EdgeoptError
from edgeopt.forms.exit.technique import EarlyExit
from edgeopt.forms.form import AXES, Technique
from edgeopt.forms.product_quantize.technique import ProductQuantize
from edgeopt.forms.prune.technique import Prune
from edgeopt.forms.quantize.technique import Quantize
from edgeopt.forms.share_weights.technique import ShareWeights
from edgeopt.forms.structure.fire_module import FIRE_MODULE
from edgeopt.forms.structure.group import GROUP
from edgeopt.forms.structure.inverted_bottleneck import INVERTED_BOTTLENECK
from edgeopt.forms.structure.low_rank import LOW_RANK
from edgeopt.forms.structure.prune_channels import PRUNE_CHANNELS
from edgeopt.forms.structure.separate_depthwise import SEPARATE_DEPTHWISE
from edgeopt.forms.structure.technique import Structure

TECHNIQUES: tuple[Technique, ...] = (
    SEPARATE_DEPTHWISE,
    LOW_RANK,
    GROUP,
    FIRE_MODULE,
    INVERTED_BOTTLENECK,
    PRUNE_CHANNELS,
    Prune(),
    Quantize(),
    ShareWeights(),
    ProductQuantize(),
    EarlyExit(),
)  # fmt: skip

APART = {
    ("prune", "product_quantize"): "a codeword stands for several weights, and no zero among them outlives it",
    ("product_quantize", "share_weights"): "codes of codewords are what is stored, and no table of single values is left",
}


def techniques() -> dict[str, Technique]:
    """All techniques by name, in the order in which they are solved and applied."""
    return {t.name: t for t in sorted(TECHNIQUES, key=lambda t: AXES.index(t.axis))}


def wanted(text: str) -> dict[str, str]:
    """Technique -> key of the form it starts with, from a list like ``w8a8,prune`` of techniques and forms.

    Raises EdgeoptError for a name that is none, two forms of a technique, or techniques that no layer can have together.
    """
    found: dict[str, str] = {}
    for word in [w.strip() for w in text.split(",") if w.strip()]:
        technique, key = _named(word)
        if found.get(technique.name, key) != key:
            raise EdgeoptError(f"forms '{text}': {technique.name} is asked for '{found[technique.name]}' and for '{key}'")
        found[technique.name] = key
    if not found:
        raise EdgeoptError(f"forms '{text}' name nothing; `edgeopt forms` lists those there are")
    _require_axes(found)
    if reason := clash(found):
        raise EdgeoptError(f"forms '{text}': {reason}; name one of them")
    return found


def _named(word: str) -> tuple[Technique, str]:
    known = techniques()
    if word in known:
        return known[word], known[word].first()
    for technique in known.values():
        if word in technique.form_keys():
            return technique, word
    near = [f"'{other}'" for other in get_close_matches(word, _words(known), 3, 0.5)]
    meant = f"did you mean {' or '.join(near)}? There" if near else "there"
    raise EdgeoptError(f"unknown form '{word}'; {meant} are forms of {', '.join(known)}: `edgeopt forms` lists them")


def _words(known: Mapping[str, Technique]) -> Sequence[str]:
    return [word for name, technique in known.items() for word in (name, *technique.form_keys())]


def _require_axes(found: Mapping[str, str]) -> None:
    axes: dict[str, Technique] = {}
    for technique in (techniques()[name] for name in found):
        other = axes.setdefault(technique.axis, technique)
        if other is not technique and not (_joint(other) and _joint(technique)):
            axis = technique.axis
            raise EdgeoptError(f"{other.name} and {technique.name} both change the {axis} of a layer; name one of them")


def clash(names: Iterable[str]) -> str:
    """Why one layer cannot have forms of all the techniques ``names``, of different axes; "" where it can."""
    found = set(names)
    return next((f"{' and '.join(pair)} do not go together: {why}" for pair, why in APART.items() if found.issuperset(pair)), "")


def _joint(technique: Technique) -> bool:
    """Whether layers may take forms of ``technique`` where others take those of another one on its axis."""
    return isinstance(technique, Structure) and technique.joint


def restructuring(names: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """``names`` of techniques with their forms in two: those that change structure, of which a layer takes one, and others."""
    first = {name: key for name, key in names.items() if techniques()[name].axis == "structure"}
    return first, {name: key for name, key in names.items() if name not in first}


def leaving(names: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """``names`` in two: techniques that let samples leave the network early, which come last, and others."""
    last = {name: key for name, key in names.items() if techniques()[name].axis == "exit"}
    return last, {name: key for name, key in names.items() if name not in last}


def default(small: bool = False) -> dict[str, str]:
    """What -O3 tries unless forms are named: the techniques that pay on their own, or those that make weights ``small``."""
    return {name: techniques()[name].first() for name in (("prune", "share_weights") if small else ("quantize",))}
