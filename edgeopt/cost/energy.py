"""Energy of a step from what it executes and moves, by the published table in ``energy.toml``."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

import numpy as np

from edgeopt.cost.census import Census
from edgeopt.cost.mix import CLASSES
from edgeopt.cost.traffic import accessed_bytes
from edgeopt.ir import Array
from edgeopt.lower.program import Program, Step
from edgeopt.target import Target


@cache
def table() -> dict[str, dict[str, float]]:
    """Picojoule of operations by element type, and per byte by memory."""
    return tomllib.loads(resources.files("edgeopt.cost").joinpath("energy.toml").read_text())


def energy(program: Program, target: Target, census: Census, traffic: Array) -> Array:
    """Picojoule of each step: arithmetic in the vector unit, integer instructions, and bytes by the memory they come from."""
    totals, price = census.totals, table()
    kinds = [price[arithmetic(step)] for step in program.native]
    multiplied = totals[:, CLASSES.index("multiply")] * target.lanes
    added = totals[:, CLASSES.index("fp")] * target.lanes
    work = multiplied * [k["multiply"] for k in kinds] + added * [k["add"] for k in kinds]
    counting = totals[:, CLASSES.index("integer")] * price["int32"]["add"]
    byte = price["byte"]
    further = traffic @ np.array([byte["further_caches"], byte["further_caches"], byte["memory"]])
    return np.asarray(work + counting + accessed_bytes(census, target) * byte["first_cache"] + further)


def arithmetic(step: Step) -> str:
    """The element type that the step computes in."""
    for kind in ("int8", "uint8"):
        if kind in step.dtypes[:2]:
            return "int8"
    return "float16" if "float16" in step.dtypes[:2] else "float32" if "float32" in step.dtypes else "int32"
