"""Bytes that each step moves from beyond the first cache."""

from __future__ import annotations

import numpy as np

from edgeopt.cost.census import Census
from edgeopt.cost.mix import CLASSES
from edgeopt.ir import Array
from edgeopt.lower.program import Program, Step
from edgeopt.target import Target

SCALAR = 4  # bytes of an element
LEVELS = ("first cache", "second cache", "third cache", "memory")


def traffic(program: Program, target: Target, census: Census) -> Array:
    """Bytes from the second cache, the third cache and memory [steps, 3].

    Weights come round once in an inference, so they lie where all the memory of the program fits. Activations were just
    written and lie where the working set of their step fits. A step moves no more than it loads and stores.
    """
    whole = program.arena_bytes + program.weights_bytes
    moved = np.zeros((len(program.native), 4))
    accesses = accessed_bytes(census, target)
    for index, step in enumerate(program.native):
        weights, others = operand_bytes(step)
        scale = min(1.0, accesses[index] / max(1, weights + others))
        moved[index, level(whole, target)] += weights * scale
        moved[index, level(weights + others, target)] += others * scale
    return moved[:, 1:]


def accessed_bytes(census: Census, target: Target) -> Array:
    """Bytes that each step loads and stores [steps]."""
    totals = census.totals
    vectors = totals[:, CLASSES.index("load")] + totals[:, CLASSES.index("store")]
    return np.asarray(vectors * target.vector_bytes + totals[:, CLASSES.index("scalar")] * SCALAR)


def operand_bytes(step: Step) -> tuple[int, int]:
    """Bytes of a step's weights, and of its other operands; an operand that is named twice counts once."""
    sizes = dict(zip(step.places, step.sizes, strict=True))
    weights = sum(size for place, size in sizes.items() if place.kind == "weights")
    return weights, sum(sizes.values()) - weights


def level(size: int, target: Target) -> int:
    """The nearest memory that holds ``size`` bytes: an index into ``LEVELS``."""
    caches = (target.l1, target.l2, target.l3)
    return next((i for i, capacity in enumerate(caches) if size <= capacity), 3)
