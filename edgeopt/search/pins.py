"""What the user says of single layers: those that stay in float, and forms that layers start in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from edgeopt.errors import EdgeoptError
from edgeopt.forms.form import Session
from edgeopt.forms.registry import wanted
from edgeopt.ir import Graph
from edgeopt.search.layer_names import layer_names, require_layer
from edgeopt.search.recipe import Recipe
from edgeopt.search.timing import layer_name

AS_ASKED = "kept in float, as asked"
Opened = Callable[[Mapping[str, Sequence[str]]], Sequence[Session]]


@dataclass(frozen=True)
class Pins:
    """``floats`` names layers that stay exact, ``forms`` the one form that a layer may have.

    ``alone``: nothing else is changed. Layers are known by their names before the ~, as tables and ``why`` show them.
    Raises EdgeoptError for a form that is none, and for a layer that is named in both.
    """

    floats: Sequence[str] = ()
    forms: Mapping[str, str] = field(default_factory=dict)
    alone: bool = False

    def __post_init__(self) -> None:
        for layer, form in self.forms.items():
            self.technique(layer)
            if layer in self.floats:
                raise EdgeoptError(f"layer '{layer}' is to stay in float and to become '{form}'; say one of them")

    def technique(self, layer: str) -> tuple[str, str]:
        """(technique, form) of a layer that has one."""
        ((technique, key),) = wanted(self.forms[layer]).items()
        return technique, key

    def names(self, names: Mapping[str, str]) -> dict[str, str]:
        """``names`` of techniques with the forms they start with, and the techniques of pinned layers besides."""
        mine = dict(self.technique(layer) for layer in self.forms)
        return mine if self.alone else {**mine, **names}

    def keys(self, keys: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """The forms of techniques, with those of pinned layers behind them."""
        found = {name: list(forms) for name, forms in keys.items()}
        for layer in self.forms:
            technique, key = self.technique(layer)
            if technique in found and key not in found[technique]:
                found[technique].append(key)
        return found

    def allowed(self, keys: Mapping[str, Sequence[str]], recipe: Recipe | None, without: Opened | None) -> Allowance:
        """What each layer may become, of techniques with the forms ``keys``; ``without`` data sessions say by which names."""
        asks = without is not None and (self.forms or recipe is not None)
        return Allowance(self, keys, recipe, without is None, offered_names(keys, without) if asks and without else {})

    def check(self, graph: Graph) -> None:
        """Raise EdgeoptError for a name that no layer of the exact ``graph`` has."""
        known = layer_names(graph)
        for name in [*self.floats, *self.forms]:
            require_layer(name, known)

    def refuse(self, obstacles: Mapping[str, str]) -> None:
        """Raise EdgeoptError for a layer that was to have a form of a technique with a reason against all of the graph."""
        for layer, form in self.forms.items():
            if reason := obstacles.get(self.technique(layer)[0]):
                raise EdgeoptError(f"layer '{layer}' cannot become '{form}' here: {reason}")


@dataclass(frozen=True)
class Allowance:
    """The forms of each layer by technique: those of its pin, of the ``recipe``, or the technique's own ``keys``.

    ``names`` are those that forms go by where they differ from what was asked for.
    """

    pins: Pins
    keys: Mapping[str, Sequence[str]]
    recipe: Recipe | None
    with_data: bool
    names: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def __call__(self, technique: str, layer: str) -> Sequence[str] | None:
        """The keys of forms; None: whatever the technique offers, which without data may go by other names."""
        stem = layer_name(layer)
        if stem in self.pins.floats:
            return ()
        if stem in self.pins.forms:
            name, key = self.pins.technique(stem)
            return (key,) if name == technique else ()
        if self.pins.alone:
            return ()
        if self.recipe is None and not self.pins.forms:
            return None
        return tuple(dict.fromkeys(self.names.get((technique, key), key) for key in self._asked(technique, layer)))

    def _asked(self, technique: str, layer: str) -> Sequence[str]:
        """The forms of a layer without a pin, by the names they were asked for."""
        if self.recipe is None:
            return self.keys.get(technique, ())
        return self.recipe.forms(technique, layer) if self.with_data else self.recipe.mildest(technique, layer)

    def require(self, session: Session) -> None:
        """Raise EdgeoptError for a pinned layer that is not offered its form by the ``session`` of that technique."""
        keys: dict[str, list[str]] = {}
        for name, forms in session.offers().items():
            keys.setdefault(layer_name(name), []).extend(form.key for form in forms)
        for layer, form in self.pins.forms.items():
            technique, key = self.pins.technique(layer)
            if technique == session.technique.name and key not in keys.get(layer, ()):
                known = ", ".join(dict.fromkeys(keys.get(layer, ())))
                why = "" if self.with_data else "; give --data for forms that have to know what layers read"
                instead = f"it can become {known}" if known else "it has no weights that this form changes"
                raise EdgeoptError(f"layer '{layer}' cannot become '{form}' here: {instead}{why}")

    def is_float(self, layer: str) -> bool:
        """Whether the layer was asked to stay exact."""
        return layer_name(layer) in self.pins.floats

    def is_pinned(self, layer: str) -> bool:
        """Whether the layer has a form that was asked for."""
        return layer_name(layer) in self.pins.forms


def offered_names(keys: Mapping[str, Sequence[str]], opened: Opened) -> dict[tuple[str, str], str]:
    """(technique, form) -> the form that a session without data offers in its place: one that knows nothing of activations."""
    found = {}
    for technique, key in ((name, key) for name, forms in keys.items() for key in forms):
        offers = [form.key for session in opened({technique: [key]}) for forms in session.offers().values() for form in forms]
        if offers:
            found[technique, key] = offers[0]
    return found
