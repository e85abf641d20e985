"""Whether a layer with zeros is stored by its nonzero blocks: where that is faster on the target, or smaller if that counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from edgeopt.forms.sparse import BLOCKS, FULL, candidates, halved, store, stored
from edgeopt.ir import Graph, Node
from edgeopt.ir.block_rows import Block, density
from edgeopt.ops.sparse import outputs_first, stored_weight
from edgeopt.rewrite import Context
from edgeopt.search.goal import Objective
from edgeopt.search.timing import LayerCost, Profile, profiles
from edgeopt.target import Target

GAIN = 0.95  # of the dense time, below which a sparse layer is believed to be faster; chosen by hand
DENSE = "dense"


def sparsify(graph: Graph, target: Target, context: Context, objective: Objective = "latency") -> None:
    """Store layers of ``graph`` by their nonzero blocks where it pays; why others stay dense goes to ``context``."""
    zeros = candidates(graph)
    found = {name: blocks for name, blocks in zeros.items() if blocks and _static(graph)}
    reasons = {node.name: _full(node) for node in graph.nodes if node.name in zeros and not zeros[node.name]}
    if not found:
        return store(graph, {}, reasons, context)
    costs = profiles({DENSE: graph, **_variants(graph, found)}, target, context.level)
    best = {name: min(blocks, key=lambda b: _price(costs[_name(b)].layer(name), objective)) for name, blocks in found.items()}
    dense = {name: _price(costs[DENSE].layer(name), objective) for name in found}
    plan = {n: b for n, b in best.items() if _price(costs[_name(b)].layer(n), objective) < GAIN * dense[n]}
    kept = {name: block for name, block in best.items() if name not in plan}
    thin = profiles({_name(b): halved(g) for b, g in _by_block(graph, kept).items()}, target, context.level) if kept else {}
    for node in graph.nodes:
        if node.name in kept:
            name, block = node.name, kept[node.name]
            prices = [_price(c[_name(block)].layer(name), objective) for c in (costs, thin)]
            reasons[name] = _reason(node, block, [dense[name], *prices])
    store(graph, plan, reasons, context)


def stored_profiles(graphs: Mapping[str, Graph], target: Target, level: int) -> dict[str, Profile]:
    """The Profile of each graph as ``profiles`` makes it, with each layer that has zeros stored as is fastest."""
    every: dict[str, list[str]] = {}
    flat: dict[str, Graph] = {}
    for name, graph in graphs.items():
        found = {n: blocks for n, blocks in candidates(graph).items() if blocks and _static(graph)}
        made = {DENSE: graph, **(_variants(graph, found) if found else {})}
        flat |= {f"{name} {variant}": g for variant, g in made.items()}
        every[name] = [f"{name} {variant}" for variant in made]
    costs = profiles(flat, target, level)
    return {name: _fastest([costs[key] for key in keys]) for name, keys in every.items()}


def _fastest(options: list[Profile]) -> Profile:
    """The first of the profiles with each layer as in the one where it takes least time."""
    first = options[0]
    layers = {name: min((p.layer(name) for p in options), key=lambda cost: cost.seconds) for name in first.layers}
    saved = sum(cost.seconds - layers[name].seconds for name, cost in first.layers.items())
    smaller = sum(cost.stored - layers[name].stored for name, cost in first.layers.items())
    return replace(first, seconds=first.seconds - saved, weights=first.weights - smaller, layers=layers)


def _full(node: Node) -> str:
    """Why a layer with zeros is not even timed."""
    weight = stored_weight(node)
    assert weight is not None
    matrix = outputs_first(node, weight)
    shares = [f"{density(matrix, b):.0%} of its {_name(b)} blocks (at most {FULL[b]:.0%} are timed)" for b in BLOCKS[node.op]]
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


def _price(cost: LayerCost, objective: Objective) -> float:
    return float(cost.stored) if objective == "size" else cost.seconds


def _reason(node: Node, block: Block, prices: list[float]) -> str:
    """Why a layer stays dense, and the share of blocks below which it would not: on the line through two.

    ``prices`` are those of the dense layer, of the sparse one, and of the sparse one with half of its blocks.
    """
    weight = stored_weight(node)
    assert weight is not None
    zeros, share = 1 - np.count_nonzero(weight) / weight.size, density(outputs_first(node, weight), block)
    dense, sparse, thin = prices
    slope = 2 * (sparse - thin) / share
    even = (GAIN * dense - sparse) / slope + share if slope > 0 else 0.0
    text = f"{zeros:.0%} of its weights are zero, but {share:.0%} of its {_name(block)} blocks are not"
    pays = f"they would pay below {even:.0%}" if 0 < even < share else "they would not pay at any density"
    return f"{text}: {sparse / max(dense, 1e-12):.2f} times the dense cost; {pays}"
