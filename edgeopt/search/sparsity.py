"""Whether a layer with zeros is stored by its nonzero blocks: where that is faster on the target, or smaller if that counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from edgeopt.forms.sparse import BLOCKS, candidates, halved, store, stored
from edgeopt.ir import Graph, Node
from edgeopt.ir.block_rows import Block, density
from edgeopt.ops.sparse import outputs_first, stored_weight
from edgeopt.rewrite import Context
from edgeopt.search.goal import Objective
from edgeopt.search.price import price
from edgeopt.search.stored import constants_of
from edgeopt.search.timing import LayerCost, Profile, layer_name, profiles
from edgeopt.target import Target

GAIN = 0.95  # of the dense time, below which a sparse layer is believed to be faster; chosen by hand
DENSE = "dense"
Prices = Mapping[str, Mapping[str, float]]  # by way to store the layers, and by layer


def sparsify(graph: Graph, target: Target, context: Context, objective: Objective = "latency", coded: bool = False) -> None:
    """Store layers of ``graph`` by their nonzero blocks where it pays; why others stay dense goes to ``context``.

    For ``size`` it pays where constants take fewer bytes, as they lie in memory or, when the file is ``coded``, in that.
    """
    zeros = candidates(graph)
    found = {name: blocks for name, blocks in zeros.items() if blocks and _static(graph)}
    reasons = {node.name: _full(node) for node in graph.nodes if node.name in zeros and not zeros[node.name]}
    if not found:
        return store(graph, {}, reasons, context)

    def priced(graphs: Mapping[str, Graph]) -> Prices:
        if objective == "size" and coded:
            return {way: _coded(g, set(found)) for way, g in graphs.items()}
        costs = profiles(graphs, target, context.level, objective == "energy") if graphs else {}
        return {way: {name: price(cost.layer(name), objective) for name in found} for way, cost in costs.items()}

    prices = priced({DENSE: graph, **_variants(graph, found)})
    best = {name: min(blocks, key=lambda block: prices[_name(block)][name]) for name, blocks in found.items()}
    kept = {name: block for name, block in best.items() if prices[_name(block)][name] >= GAIN * prices[DENSE][name]}
    thin = priced({_name(block): halved(g) for block, g in _by_block(graph, kept).items()})
    for node in [node for node in graph.nodes if node.name in kept]:
        name, way = node.name, _name(kept[node.name])
        reasons[name] = _reason(node, kept[name], [prices[DENSE][name], prices[way][name], thin[way][name]])
    store(graph, {name: block for name, block in best.items() if name not in kept}, reasons, context)


def stored_profiles(
    graphs: Mapping[str, Graph], target: Target, level: int, energy: bool = False, coded: bool = False
) -> dict[str, Profile]:
    """The Profile of each graph as ``profiles`` makes it, with each layer that has zeros stored as is fastest.

    With ``coded``, as takes fewest bytes in a file that is: as ``sparsify`` has it where size counts.
    """
    every: dict[str, list[str]] = {}
    flat: dict[str, Graph] = {}
    for name, graph in graphs.items():
        found = {n: blocks for n, blocks in candidates(graph).items() if blocks and _static(graph)}
        made = {DENSE: graph, **(_variants(graph, found) if found else {})}
        flat |= {f"{name} {variant}": g for variant, g in made.items()}
        every[name] = [f"{name} {variant}" for variant in made]
    costs = profiles(flat, target, level, energy)
    sizes = {key: _coded(g, set(costs[key].layers)) for key, g in flat.items()} if coded else None
    return {name: _best([(key, costs[key]) for key in keys], sizes) for name, keys in every.items()}


def _best(options: list[tuple[str, Profile]], sizes: Prices | None) -> Profile:
    """The first of the profiles with each layer as in the one where it takes least time, or has the least of the ``sizes``."""
    first = options[0][1]

    def least(name: str) -> LayerCost:
        known = [(p.layer(name).seconds if sizes is None else sizes[key].get(name, 0.0), p.layer(name)) for key, p in options]
        return min(known, key=lambda pair: pair[0])[1]

    layers = {name: least(name) for name in first.layers}
    saved = sum(cost.seconds - layers[name].seconds for name, cost in first.layers.items())
    smaller = sum(cost.stored - layers[name].stored for name, cost in first.layers.items())
    return replace(first, seconds=first.seconds - saved, weights=first.weights - smaller, layers=layers)


def _full(node: Node) -> str:
    """Why a layer with zeros is not even timed."""
    weight = stored_weight(node)
    assert weight is not None
    matrix = outputs_first(node, weight)
    limits = BLOCKS[node.op].items()
    shares = [f"{density(matrix, b):.0%} of its {_name(b)} blocks (at most {most:.0%} are timed)" for b, most in limits]
    return f"{1 - np.count_nonzero(weight) / weight.size:.0%} of its weights are zero, but not so {' and '.join(shares)}"


def _static(graph: Graph) -> bool:
    return all(v.type is not None and v.type.static for v in graph.inputs)


def _variants(graph: Graph, found: Mapping[str, tuple[Block, ...]]) -> dict[str, Graph]:
    """The graph with all candidates in each kind of block."""
    kinds = dict.fromkeys(block for blocks in found.values() for block in blocks)
    return {_name(kind): stored(graph, {n: kind for n, blocks in found.items() if kind in blocks}) for kind in kinds}


def _by_block(graph: Graph, kept: Mapping[str, Block]) -> dict[Block, Graph]:
    return {kind: stored(graph, {n: b for n, b in kept.items() if b == kind}) for kind in dict.fromkeys(kept.values())}


def _name(block: Block) -> str:
    return f"{block[0]}x{block[1]}"


def _coded(graph: Graph, layers: Collection[str]) -> dict[str, float]:
    """The bytes of all constants of each layer in a file whose parts are coded by their entropy."""
    stems = {layer_name(name): name for name in layers}  # a node that takes the place of another has a new name behind the ~
    named = [(stems.get(layer_name(node)), node) for node in graph.nodes]
    return {name: float(constants_of(node)) for name, node in named if name is not None}


def _reason(node: Node, block: Block, prices: list[float]) -> str:
    """Why a layer stays dense, and the share of blocks below which it would not: on the line through two.

    ``prices`` are those of the dense layer, of the sparse one, and of the sparse one with half of its blocks.
    """
    weight = stored_weight(node)
    assert weight is not None
    zeros, share = 1 - np.count_nonzero(weight) / weight.size, density(outputs_first(node, weight), block)
    dense, sparse, thin = prices
    if not share:
        return f"all of its weights are zero: {sparse / max(dense, 1e-12):.2f} times the dense cost"
    slope = 2 * (sparse - thin) / share
    even = (GAIN * dense - sparse) / slope + share if slope > 0 else 0.0
    text = f"{zeros:.0%} of its weights are zero, but {share:.0%} of its {_name(block)} blocks are not"
    pays = f"they would pay below {even:.0%}" if 0 < even < share else "they would not pay at any density"
    return f"{text}: {sparse / max(dense, 1e-12):.2f} times the dense cost; {pays}"
