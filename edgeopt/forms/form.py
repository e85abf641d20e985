"""What a layer can become: forms on axes, and what a technique tells the search of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.evidence import ChannelStatistics
from edgeopt.ir import Array, Graph
from edgeopt.rewrite import Context

Axis = Literal["structure", "mask", "values", "storage", "exit", "place"]
AXES: tuple[Axis, ...] = ("structure", "mask", "values", "storage", "exit", "place")  # in the order they are solved and applied


@dataclass(frozen=True, order=True)
class Form:
    """What one layer becomes on one axis: ("quantize", "w8a8"), ("prune", "block-4x1 75 %"). It holds no arrays."""

    technique: str
    key: str


Choice = frozenset[Form]  # of one layer, at most one form on each axis; empty: exact, in float
Forms = Mapping[str, Choice]  # by layer
Solution = Any  # codes, masks, tables of some layers; only the technique that made it opens it
EXACT: Choice = frozenset()
FLOAT = "float32"  # how an exact layer is called


def named(choice: Choice) -> str:
    """The name of a layer's choice in tables."""
    return " + ".join(sorted(form.key for form in choice)) or FLOAT


def titled(done: str, keys: Sequence[str], taken: Collection[str]) -> str:
    """What was ``done`` to layers that took forms ``taken``, where ``keys`` were wanted in this order, for a sentence."""
    first = next((key for key in keys if key in taken), min(taken, default=keys[0]))
    return f"{done} to {first}" + (" and gentler forms" if len(taken) > 1 else "")


@dataclass(frozen=True)
class Reading:
    """What an exported file must suit: ``profile`` names the runtime that reads it, "" the one that the target suggests."""

    profile: str = ""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a technique may know: the exact optimised graph, and what is seen of it.

    ``calibration`` is None where there is no data; ``statistics`` are what batch normalisation recorded before it was folded.
    ``signed``: the target multiplies signed bytes. ``vector`` channels cost it as much as fewer do. ``method`` is the rule of
    ranges that is asked for. ``reading`` is given when the result is a file of standard operators for another runtime.
    ``data`` are samples to choose on within ``max_drop`` percentage points, and ``reference`` what the network said of them
    before anything was approximated, for techniques that find decisions of their own there. ``timed``: nothing but the
    time of the forms is asked, which does not depend on ranges, so that those of generated inputs will do where there is no data.
    ``exact`` names the layers that may take no form of the technique, which need not be looked at. ``recurrent``: the target can
    multiply integers in recurrent layers.
    """

    graph: Graph
    calibration: DataSet | None = None
    statistics: Mapping[str, ChannelStatistics] = field(default_factory=dict)
    signed: bool = False
    vector: int = 4
    method: str = "auto"
    reading: Reading | None = None
    data: DataSet | None = None
    max_drop: float = 1.0
    reference: Array | None = None
    timed: bool = False
    exact: frozenset[str] = frozenset()
    recurrent: bool = True


class Unsuited(EdgeoptError):
    """A network, or data, that a technique finds it cannot work on when it tries."""


@dataclass(frozen=True, eq=False)
class Leaving:
    """What happens where samples leave a network early: the ``shares`` of them that do, by the node behind which.

    ``work`` is the expected share of the multiply-accumulates, ``reporting`` says which samples of the evidence's ``data`` chose
    nothing, ``record`` is all of it for the manifest; ``heads`` are the names of what decides who leaves, before the ~.
    """

    shares: Mapping[str, float]
    work: float
    reporting: Array
    record: Mapping[str, Any]
    heads: frozenset[str] = frozenset()


class Session(Protocol):
    """A technique at work in one search: it calibrates once, and remembers what it has solved."""

    @property
    def technique(self) -> Technique:
        """Whose session it is."""

    @property
    def inputs(self) -> DataSet:
        """What layers are judged on: the calibration data, or made-up inputs."""

    def offers(self) -> Mapping[str, Sequence[Form]]:
        """The forms of each layer, the first of which the search starts with; better ones follow, to repair with."""

    def refusals(self) -> Mapping[str, str]:
        """The layers that it could not change although they are of its kind, with the reason."""

    def solve(self, forms: Mapping[str, Form], under: Overlay) -> Solution:
        """What the layers become; ``under`` is what techniques of earlier axes do to the network."""

    def alone(self, forms: Mapping[str, Form]) -> Solution:
        """What each layer becomes when it is the only one that changes: for judging them one by one."""

    def rough(self, forms: Mapping[str, Form], under: Overlay) -> Solution:
        """A solution of the right sizes with any numbers, quickly made: for timing."""

    def overlay(self, solution: Solution, layers: Sequence[str] | None = None) -> Overlay:
        """What the solution (of ``layers`` only) does to a run of the exact graph."""

    def errors(self, solution: Solution) -> Mapping[str, float]:
        """The relative error at the output of each changed layer."""

    def carry_out(self, graph: Graph, solution: Solution, context: Context) -> None:
        """Make of ``graph``, a copy of the exact one, what was solved, by the passes of the technique."""

    def completed(self, solution: Solution) -> Solution:
        """The solution with what the reader of a file wants besides; the same object where that is nothing."""

    def remarks(self, graph: Graph) -> Sequence[str]:
        """What there is to say of ``graph``, in which its solution was carried out."""

    def sizes(self, solution: Solution) -> Mapping[str, int]:
        """Bytes of the weight of each changed layer."""

    def title(self, taken: Collection[str]) -> str:
        """What happens to a network whose layers take forms ``taken``, for a sentence: "quantised to w8a8"."""


class Technique(Protocol):
    """One way to approximate layers. It keeps no state: that is in its sessions."""

    name: str
    axis: Axis
    about: str
    done: str  # what happens to a layer: "quantised"
    passes: tuple[str, ...]  # the approximate passes that carry it out, by name

    def form_keys(self) -> Sequence[str]:
        """The forms it has, by their keys."""

    def first(self) -> str:
        """The form that a search takes when only the technique is named."""

    def finer(self, key: str) -> Sequence[str]:
        """Forms to repair with where layers in form ``key`` lose too much, worse first."""

    def opset(self, keys: Sequence[str]) -> int:
        """The opset that first has what these forms need; 0 for any."""

    def obstacle(self, graph: Graph) -> str:
        """Why no layer of ``graph`` can take a form; "" when one can."""

    def left(self, graph: Graph) -> Sequence[str]:
        """Notes on the layers of the exact ``graph`` that are of its kind and that it cannot change."""

    def open(self, evidence: Evidence, keys: Sequence[str]) -> Session:
        """Start a session with these forms. It may change the numbers inside the exact graph, never what the graph computes."""
