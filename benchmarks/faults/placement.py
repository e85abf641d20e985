"""A plan in which all three tiers take part: each has a third of the layers, whatever would be best here.

Profiles say that a third of the layers is fast on its tier alone, so that the plan, its table and its parts come about as always.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

import edgeopt
from edgeopt.frontend import load
from edgeopt.ir import Array, Graph, numpy_dtype
from edgeopt.npz import write
from edgeopt.partition.package import save_plan
from edgeopt.partition.plan import plan
from edgeopt.partition.profile import LayerTime, work, write_profile
from edgeopt.partition.tiers import load_tiers
from edgeopt.pipeline import optimize

TIERS = ("device", "edge", "cloud")
QUICK, LONG = 0.001, 0.05  # seconds of a third on its own tier, and elsewhere
SAMPLES = 16  # different inputs, so that an answer to another request would be noticed
TIER = '[[tier]]\nname = "{0}"\ntarget = "host"\nprofile = "{0}.json"\nwatts = 1.0\n'
LINK = '[[link]]\nname = "link {0}"\nup = 12.5e6\ndown = 12.5e6\nround_trip = 0.001\n'


def write_plan(model: Path, folder: Path) -> None:
    """Write the plan of ``model`` into ``folder``/plan, and ``folder``/samples.npz: inputs i0.. and one machine's outputs o0.."""
    graph = load(model)
    optimize(graph)
    thirds = _thirds(graph)
    for tier, name in enumerate(TIERS):
        times = [(QUICK if third == tier else LONG) / thirds.count(third) for third in thirds]
        layers = [LayerTime(n.name, n.op, *work(n), t) for n, t in zip(graph.nodes, times, strict=True)]
        write_profile(folder / f"{name}.json", name, layers)
    (folder / "tiers.toml").write_text("".join(TIER.format(t) for t in TIERS) + LINK.format(1) + LINK.format(2))
    made = plan(model, load_tiers(folder / "tiers.toml"), folder=folder)
    if set(made.cut.placement) != {0, 1, 2}:
        raise SystemExit(f"{model} cannot be cut into three parts")
    save_plan(made, folder / "plan", most=2)
    write(folder / "samples.npz", _samples(model, graph))


def _thirds(graph: Graph) -> list[int]:
    """The third to which each node belongs; of three and more nodes each third has one."""
    return [min(2, math.ceil(3 * index / len(graph.nodes))) for index in range(len(graph.nodes))]


def _samples(model: Path, graph: Graph) -> dict[str, Array]:
    rng, compiled = np.random.default_rng(5), edgeopt.compile(model)
    found: dict[str, Array] = {}
    for index in range(SAMPLES):
        inputs = {v.name: rng.random(v.type.dims).astype(numpy_dtype(v.type.dtype)) for v in graph.inputs if v.type is not None}
        found |= {f"i{index}:{name}": array for name, array in inputs.items()}
        found |= {f"o{index}:{name}": array for name, array in compiled.run(inputs).items()}
    return found
