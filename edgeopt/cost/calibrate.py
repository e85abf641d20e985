"""The rates of this machine: times of the calibration networks' steps, and the core that explains them best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from onnx import ModelProto
from scipy.optimize import least_squares

from edgeopt.cost.census import Census, census
from edgeopt.cost.core import RATES, Core, core_of_family
from edgeopt.cost.suite import suite
from edgeopt.cost.traffic import traffic
from edgeopt.ir import Array, Graph
from edgeopt.lower.lowering import lower
from edgeopt.lower.program import Program
from edgeopt.lower.table import kernels_for
from edgeopt.runtime.model import CompiledModel
from edgeopt.target import Target, host

FLOOR = 2e-7  # seconds; what lasts less is lost in the clock
PRIOR = 0.05  # weight of the family's rates, for what the networks do not tell
REPEATS = 60


@dataclass(frozen=True, eq=False)
class Measured:
    """A network that was counted and timed: ``seconds`` [steps], ``traffic`` [steps, 3] bytes."""

    name: str
    nodes: list[str]
    census: Census
    traffic: Array
    seconds: Array


def measure(compiled: CompiledModel, repeats: int = REPEATS) -> Measured:
    """Count and time every step of a model that was compiled for the host."""
    program = program_of(compiled.graph, host(), compiled.manifest["level"])
    counted = census(program, host())
    rng = np.random.default_rng(0)
    inputs = {i["name"]: rng.standard_normal(i["shape"]).astype(i["dtype"]) for i in compiled.manifest["inputs"]}
    seconds = np.array(compiled.profile(inputs, repeats))
    nodes = [step.node for step in program.native]
    return Measured(compiled.manifest["model"], nodes, counted, traffic(program, host(), counted), seconds)


def program_of(graph: Graph, target: Target, level: int) -> Program:
    """The optimised ``graph`` lowered as ``edgeopt.compile`` does at ``level``."""
    return lower(graph, target, "edgeopt_model", kernels_for(level))


def calibrate(
    compiled: Callable[[ModelProto], CompiledModel], progress: Callable[[str], None] = lambda name: None
) -> tuple[Core, list[Measured]]:
    """Measure this machine; its core, and what it was fitted to. Takes about a minute.

    ``compiled`` compiles a model for this machine, by default at level 1; ``progress`` gets each network's name.
    """
    measured = []
    for model in suite(host()):
        progress(model.graph.name)
        measured.append(measure(compiled(model)))
    return fit(measured, core_of_family(host())), measured


def fit(measured: Sequence[Measured], start: Core) -> Core:
    """The core whose cycles deviate least from the measured times, by the logarithm of their ratio (outliers damped)."""
    seconds = np.concatenate([np.maximum(m.seconds, FLOOR) for m in measured])
    first = np.log([getattr(start, name) for name in RATES])

    def residuals(logarithms: Array) -> Array:
        rates = _core(logarithms, start)
        expected = np.concatenate([rates.cycles(m.census, m.traffic) for m in measured]) / start.frequency
        return np.concatenate([np.log(np.maximum(expected, FLOOR) / seconds), PRIOR * (logarithms - first)])

    found = least_squares(residuals, first, loss="soft_l1", f_scale=0.3, diff_step=0.02)
    return _core(found.x, start)


def _core(logarithms: Array, start: Core) -> Core:
    return replace(start, **dict(zip(RATES, np.exp(logarithms).tolist(), strict=True)))


def deviation(rates: Core, measured: Sequence[Measured]) -> float:
    """The median over all steps of the relative error of what ``rates`` predict."""
    errors = []
    for m in measured:
        expected, known = rates.cycles(m.census, m.traffic) / rates.frequency, m.seconds > 0
        errors.append(np.abs(expected - m.seconds)[known] / m.seconds[known])
    return float(np.median(np.concatenate(errors)))
