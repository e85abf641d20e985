"""Single layers by both back ends in turn, on one thread: ``python -m benchmarks.backend_layers [--seconds 1] [--only WORD]``.

Shown are the least microseconds of each and how many times as long TVM's code takes as numba's. Integer, look-up and sparse
convolutions have random numbers of the shapes of ``benchmarks.lookup_layers``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from benchmarks.lookup_layers import BOOKS, Layer, Way, integer_graph, lookup_graph, ours
from benchmarks.sparse_layers import Pattern, float_graph, sparse_graph
from edgeopt.codegen.backends import find_backend
from edgeopt.ir import Graph
from edgeopt.target import target

LAYERS = (Layer(64, 64, 56, 3), Layer(256, 256, 14, 3), Layer(256, 64, 56), Layer(1024, 256, 14))
KINDS: dict[str, Callable[[Layer], Graph]] = {
    "fp32": float_graph,
    "int8": integer_graph,
    "look-up": lambda layer: lookup_graph(layer, BOOKS["K16 C'4"]),
    "CSR 10 %": lambda layer: sparse_graph(layer, Pattern((1, 1), 0.1, False)),
    "16x1 10 %": lambda layer: sparse_graph(layer, Pattern((16, 1), 0.1, False)),
    "int8 16x4 10 %": lambda layer: sparse_graph(layer, Pattern((16, 4), 0.1, True)),
}
BURST = 20  # runs of one way before the other one


def in_turn(ways: tuple[Way, Way], seconds: float) -> tuple[float, float]:
    """The least seconds of two ways."""
    one, other, spent = float("inf"), float("inf"), 0.0
    while spent < seconds:
        one, other = min(one, ways[0](BURST)), min(other, ways[1](BURST))
        spent += BURST * (one + other)
    return one, other


def main() -> None:
    """Print a line for each layer of each kind, then the worst ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--only", default="")
    given, worst, host = parser.parse_args(), 0.0, target("host")
    for kind, graph in KINDS.items():
        for layer in LAYERS if given.only in kind else ():
            ways = ours(graph(layer), host), ours(graph(layer), host, find_backend("tvm"))
            one, other = in_turn(ways, given.seconds)
            worst = max(worst, other / one)
            print(f"{kind} {layer.name}: numba {1e6 * one:.1f} tvm {1e6 * other:.1f} us, {other / one:.2f} times", flush=True)
    print(f"at most {worst:.2f} times")


if __name__ == "__main__":
    main()
