"""What ``edgeopt.compile`` can be told beyond its main arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from numpy.typing import ArrayLike

from edgeopt import arguments
from edgeopt.codegen.backends import NAMES as BACKENDS
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet
from edgeopt.forms.quantize.grids import RULES
from edgeopt.forms.quantize.recipe import AUTO
from edgeopt.forms.registry import wanted
from edgeopt.frontend.preparation import Preparation, parse_preparation
from edgeopt.ops.grid import SCHEMES
from edgeopt.pipeline import PrintAfter, names
from edgeopt.progress import Listener
from edgeopt.rewrite import Context
from edgeopt.runtime.reading import CODED, RAW
from edgeopt.search.goal import OBJECTIVES, Objective
from edgeopt.search.limits import Limits
from edgeopt.search.pins import Pins
from edgeopt.search.samples import Data
from edgeopt.target import Target

C_LIBRARY = "c-library"
PREFERRED: dict[str, Objective] = {"speed": "latency", "size": "size", "energy": "energy", "memory": "memory"}
INTERFACE = ("codes", "arena")


@dataclass(frozen=True)
class Debug:
    """To look into a compilation: ``context`` receives what the passes did (and stops them after some rewrites), ``only`` names

    the passes that run, ``print_after(name, graph)`` is called after each run of a pass that changed the graph.
    """

    context: Context | None = None
    only: Sequence[str] | None = None
    print_after: PrintAfter | None = None

    def __post_init__(self) -> None:
        arguments.instance("context", self.context, (Context, type(None)))
        if self.print_after is not None and not callable(self.print_after):
            raise EdgeoptError(f"print_after={self.print_after!r}: expected is a function of a pass's name and a graph")
        if isinstance(self.only, str):
            raise EdgeoptError(f"only={self.only!r}: expected is a list of passes, as in ['{self.only}']")
        for name in self.only or ():
            arguments.choice("only", name, sorted(names()))


@dataclass(frozen=True)
class Options:
    """What is compiled for, and how.

    ``quantize`` names a scheme that is wanted in any case (``w8a8``, ``w4a8``, ...); without one, level 3 takes int8 where the
    target does not get slower by it. ``objective``: ``latency`` leaves in float what would be slower, ``size`` quantises all the
    same, ``memory`` counts the RAM of activations in place of time, ``energy`` an estimate. ``method`` is the rule of the ranges
    (``edgeopt.forms.quantize.grids``). ``accept_chance`` goes on although the float model is right on the data no more often
    than guessing is. ``tune`` measures which kernel and tiling is fastest for each call, where otherwise a rule decides, and
    remembers it. ``emit="c-library"`` adds a C library where code for the host is made, which other targets get anyway.
    ``max_memory`` are the bytes the model may take (``edgeopt.memory_limit`` says what is allowed otherwise). ``forms`` names
    techniques or single forms that are wanted in any case; ``quantize`` is a special case of it. ``recipe`` names one that is
    shipped, or a TOML file, which says what is tried in their place (``edgeopt.compress``). ``bind`` makes inputs constants, as
    in ``{"sr": 16000}``. ``weights``: ``coded`` stores them entropy-coded and each once, ``raw`` as the kernels read them, to be
    run from flash. ``onnx``: the optimized model lies in the artifact. ``keep_float`` names layers that stay in float,
    ``layer_forms`` forms that single layers get where the budget allows it, as in ``{"conv_0": "w8a16"}``; below level 3 and
    without other forms they alone change. Names are those that ``why`` shows. ``inputs`` makes raw pixels the inputs, as in
    ``{"image": "uint8,nhwc,mean=128,scale=0.0078"}`` (``frontend.preparation``). ``progress(stage, share)`` is called as the
    work goes on, with a share from 0 to 1 (``stage: news`` within one); the logger "edgeopt" tells more. ``max_ram`` and
    ``max_flash`` are the bytes a microcontroller has, in place of those its target says. ``interface`` lists how the C library
    of a microcontroller takes inputs and gives outputs: ``codes``, where the network converts them at once or at last (a
    quantised one also rounds what it computes in float at last, by its range on the data), and in the ``arena``, which is
    overwritten; floats in the caller's memory otherwise. ``stream_input``: it takes the input by rows, as codes, and computes
    the first layers as they come in.
    ``self_test`` adds a C file with one sample, of the data where there are some, and the outputs that it has to give.
    ``backend`` makes the code of the result: ``numba``, or ``tvm`` (extra ``edgeopt[tvm]``); what is tried on the way is
    numba's. ``max_latency`` (seconds), ``max_size`` (bytes of code and weights as
    stored), ``max_energy`` (joule) and ``max_ram`` bound an inference of a model that is approximated, all at once, and
    ``prefer`` (``speed``, ``size``, ``energy``, ``memory``) says what is to be small within them: with any of these, the forms of
    all layers are chosen jointly over techniques. No trial begins after ``search_time`` seconds: the best that is known by then
    is taken. ``seed`` draws the samples that calibrate, that choose, and that only judge. ``train`` are samples to train on
    where a form that is wanted loses too much without (extra ``edgeopt[tune]``). Raises EdgeoptError for a value that is not
    known.
    """

    quantize: str | None = None
    objective: Objective = "latency"
    method: str = AUTO
    accept_chance: bool = False
    tune: bool = False
    emit: str | None = None
    max_memory: int | None = None
    debug: Debug = field(default_factory=Debug)
    forms: str | None = None
    bind: Mapping[str, ArrayLike] = field(default_factory=dict)
    recipe: str | Path | None = None
    weights: str | None = None
    onnx: bool = True
    progress: Listener | None = None
    keep_float: Sequence[str] = ()
    layer_forms: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    max_ram: int | None = None
    max_flash: int | None = None
    backend: str = "numba"
    interface: Sequence[str] = ()
    stream_input: bool = False
    self_test: bool = False
    max_latency: float | None = None
    max_size: int | None = None
    max_energy: float | None = None
    prefer: str | None = None
    search_time: float | None = None
    seed: int = 0
    train: Data | None = None

    def __post_init__(self) -> None:
        arguments.choice("quantize", self.quantize, SCHEMES, "level 3 decides")
        arguments.instance("bind", self.bind, (Mapping,))
        if self.forms is not None:
            arguments.instance("forms", self.forms, (str,))
            wanted(self.forms)
            if self.quantize is not None:
                raise EdgeoptError("forms and quantize say the same in two ways; give one of them")
        arguments.instance("recipe", self.recipe, (str, Path, type(None)))
        if self.recipe is not None and self.wanted is not None:
            raise EdgeoptError("a recipe says which forms are tried; give it alone, without forms and quantize")
        if isinstance(self.keep_float, str):
            raise EdgeoptError(f"keep_float={self.keep_float!r}: expected is a list of layers, as in ['{self.keep_float}']")
        arguments.instance("layer_forms", self.layer_forms, (Mapping,))
        arguments.instance("inputs", self.inputs, (Mapping,))
        arguments.instance("train", self.train, (str, Path, DataSet, type(None)))
        self.preparations()
        Pins(self.keep_float, self.layer_forms)
        arguments.choice("objective", self.objective, OBJECTIVES)
        arguments.choice("method", self.method, (AUTO, *RULES))
        arguments.choice("emit", self.emit, (C_LIBRARY,), "an artifact alone")
        arguments.choice("backend", self.backend, BACKENDS)
        arguments.choice("weights", self.weights, (CODED, RAW), "raw for microcontrollers, else coded")
        if isinstance(self.interface, str):
            raise EdgeoptError(f"interface={self.interface!r}: expected is a list of words, as in ['{self.interface}']")
        for word in self.interface:
            arguments.choice("interface", word, INTERFACE)
        for name in ("accept_chance", "tune", "onnx", "stream_input", "self_test"):
            arguments.instance(name, getattr(self, name), (bool,))
        arguments.choice("prefer", self.prefer, tuple(PREFERRED), "speed, or what objective says")
        if self.prefer is not None and self.objective not in ("latency", PREFERRED[self.prefer]):
            raise EdgeoptError(f"prefer={self.prefer!r} and objective={self.objective!r} name two things to make small; give one")
        arguments.whole("seed", self.seed, 0)
        for name in ("max_latency", "max_energy", "search_time"):
            if getattr(self, name) is not None:
                arguments.positive(name, getattr(self, name))
        for name in ("max_memory", "max_ram", "max_flash", "max_size"):
            if getattr(self, name) is not None:
                arguments.whole(name, getattr(self, name), 1)
        arguments.instance("debug", self.debug, (Debug,))
        if self.progress is not None and not callable(self.progress):
            raise EdgeoptError(f"progress={self.progress!r}: expected is a function of a stage and a share from 0 to 1")

    @property
    def preferred(self) -> Objective:
        """What is to be small."""
        return self.objective if self.prefer is None else PREFERRED[self.prefer]

    def limits(self, target: Target) -> Limits | None:
        """The bounds of a joint search, those of a microcontroller's memory among them; None where none was asked for."""
        asked = (self.prefer, self.max_latency, self.max_energy, self.max_size, self.max_flash, self.max_ram)
        if all(one is None for one in asked):
            return None
        flash, ram = (target.flash, target.ram) if target.bare else (0, 0)
        size = min(filter(None, (self.max_size, self.max_flash, flash)), default=None)
        return Limits(self.max_latency, size, self.max_ram or ram or None, self.max_energy)

    @property
    def wanted(self) -> str | None:
        """The forms that are wanted in any case."""
        return self.forms if self.forms is not None else self.quantize

    def preparations(self) -> dict[str, Preparation]:
        """What ``inputs`` ask for. Raises EdgeoptError for what does not read so."""
        return {name: parse_preparation(text) for name, text in self.inputs.items()}

    def pins(self, level: int) -> Pins:
        """What is asked of single layers, of a model compiled at ``level``."""
        alone = level < 3 and self.wanted is None and self.recipe is None
        return Pins(tuple(self.keep_float), dict(self.layer_forms), alone)

    def approximates(self, level: int) -> bool:
        """Whether layers may change their form at ``level``."""
        asked = self.wanted is not None or self.recipe is not None or bool(self.layer_forms)
        return asked or (level >= 3 and self.debug.only is None)
