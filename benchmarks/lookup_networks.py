"""Whole networks with random codes in place of their weights: times and bytes, beside bytes and other engines.

Another processor's times are estimates of the cost model, from the instructions that its code executes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers import random_inputs
from edgeopt.assembly import SYMBOL, assemble
from edgeopt.cost import estimate
from edgeopt.evaluate.data import generated
from edgeopt.evaluate.observe import Overlay
from edgeopt.examine.engines import Inference, onnxruntime, openvino
from edgeopt.forms.applied import applied
from edgeopt.forms.form import Evidence, Form
from edgeopt.forms.product_quantize.session import INT8, ProductSession
from edgeopt.forms.product_quantize.technique import ProductQuantize
from edgeopt.forms.quantize.technique import plain_session
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.lower.lowering import lower
from edgeopt.lower.table import kernels_for
from edgeopt.ops.grids import linear_nodes
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context
from edgeopt.target import Target

LEVEL, ROUNDS = 2, 7


@dataclass
class Network:
    """Least milliseconds by way, and bytes of all constants of a compiled model."""

    name: str
    milliseconds: dict[str, float] = field(default_factory=dict)
    stored: dict[str, int] = field(default_factory=dict)


def forms_of(graph: Graph, session: ProductSession, wanted: Sequence[str]) -> dict[str, Form]:
    """Every layer in the first of ``wanted`` rates that it is offered, for convolutions and products; else bytes."""
    conv, product = wanted
    keys = {n.name: conv if n.op == "FusedConv" else product for n in linear_nodes(graph)}
    return {name: next((f for f in offers if f.key == keys[name]), offers[-1]) for name, offers in session.offers().items()}


def changed(path: Path, target: Target, wanted: Sequence[str]) -> Graph:
    """The network with random codes for the rates of convolutions and of products."""
    graph = load(path)
    optimize(graph, LEVEL, Context(level=LEVEL))
    evidence = Evidence(graph, generated(graph, 2), signed=target.signed_bytes)
    keys = list(dict.fromkeys([*wanted, INT8]))
    session = ProductSession(ProductQuantize(), evidence, keys, plain_session(evidence, "w8a8"))
    solution = session.rough(forms_of(graph, session, wanted), Overlay())
    return applied(graph, [(session, solution)], Context(level=LEVEL))


WAYS: dict[str, tuple[str, ...]] = {
    "int8": (INT8, INT8),
    "k16c4": ("k16c4", "k16c4"),
    "k16c4, products k16c2": ("k16c4", "k16c2"),
    "2k16c4": ("2k16c4", "2k16c4"),
}


def measure(path: Path, target: Target, seconds: float, peers: Sequence[Path], ways: Sequence[str]) -> Network:
    """The ``ways`` in turn; ``peers`` are further files of the same network that OpenVINO and onnxruntime run."""
    inputs, made = random_inputs(path), Network(path.stem)
    runs: dict[str, Inference] = {"onnxruntime": onnxruntime(path, inputs, 1), "openvino": openvino(path, inputs, 1)}
    for peer in peers:
        runs[f"openvino {peer.stem}"] = openvino(peer, inputs, 1)
        runs[f"onnxruntime {peer.stem}"] = onnxruntime(peer, inputs, 1)
    for name in ways:
        model = assemble(changed(path, target, WAYS[name]), target, LEVEL)
        made.stored[name] = len(model.files["weights.bin"])
        runs[name] = lambda model=model: list(model.run(inputs).values())  # type: ignore[misc]
    made.milliseconds = dict.fromkeys(runs, float("inf"))
    end, rounds = time.perf_counter() + seconds * len(runs), 0
    while time.perf_counter() < end or rounds < ROUNDS:
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            made.milliseconds[name] = min(made.milliseconds[name], 1e3 * (time.perf_counter() - started))
        rounds += 1
    return made


def estimated(path: Path, target: Target, ways: Sequence[str]) -> Network:
    """The ``ways`` on a processor that this machine is not."""
    made = Network(path.stem)
    for name in ways:
        graph = changed(path, target, WAYS[name])
        program = lower(graph, target, SYMBOL, kernels_for(LEVEL))
        made.stored[name] = len(program.weights)
        made.milliseconds[name] = 1e3 * estimate(program, graph, target).seconds
    return made
