"""Whether a layer with zeros is stored by its nonzero blocks: where that is faster on the target, or smaller if that counts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgeopt.forms.sparse import candidates, halved, store, stored
from edgeopt.ir import Graph
from edgeopt.ir.block_rows import Block, density
from edgeopt.ops.sparse import outputs_first, stored_weight
from edgeopt.rewrite import Context
from edgeopt.search.goal import Objective
from edgeopt.search.timing import LayerCost, Profile, profiles
from edgeopt.target import Target

GAIN = 0.95  # of the dense time, below which a sparse layer is believed to be faster; chosen by hand
Costs = Mapping[str, Profile]


def sparsify(graph: Graph, target: Target, context: Context, objective: Objective = "latency") -> None:
    """Store layers of ``graph`` by their nonzero blocks where it pays; why others stay dense goes to ``context``."""
    found = candidates(graph)
    if not found or not all(v.type is not None and v.type.static for v in graph.inputs):
        return
    costs = profiles(_variants(graph, found), target, context.level)
    plan: dict[str, Block] = {}
    reasons: dict[str, str] = {}
    for node in graph.nodes:
        if node.name in found:
            weight = stored_weight(node)
            assert weight is not None
            shares = {block: density(outputs_first(node, weight), block) for block in found[node.name]}
            best = min(shares, key=lambda block: _price(costs[_name(block)].layer(node), objective))
            dense, sparse = (costs[name].layer(node) for name in ("dense", _name(best)))
            if _price(sparse, objective) < GAIN * _price(dense, objective):
                plan[node.name] = best
            else:
                thin = costs[f"{_name(best)} halved"].layer(node)
                zeros = 1 - np.count_nonzero(weight) / weight.size
                reasons[node.name] = _reason(best, zeros, shares[best], [_price(c, objective) for c in (dense, sparse, thin)])
    store(graph, plan, reasons, context)


def _variants(graph: Graph, found: Mapping[str, tuple[Block, ...]]) -> dict[str, Graph]:
    """The graph as it is, and with all candidates in each kind of block, whole and with half of the blocks."""
    made = {"dense": graph}
    for block in dict.fromkeys(block for blocks in found.values() for block in blocks):
        made[_name(block)] = stored(graph, {layer: block for layer, blocks in found.items() if block in blocks})
        made[f"{_name(block)} halved"] = halved(made[_name(block)])
    return made


def _name(block: Block) -> str:
    return f"{block[0]}x{block[1]}"


def _price(cost: LayerCost, objective: Objective) -> float:
    return float(cost.stored) if objective == "size" else cost.seconds


def _reason(block: Block, zeros: float, share: float, prices: list[float]) -> str:
    """Why a layer stays dense, and the density below which it would not: on the line through two."""
    dense, sparse, thin = prices
    slope = 2 * (sparse - thin) / share
    even = (GAIN * dense - sparse) / slope + share if slope > 0 else 0.0
    text = f"{zeros:.0%} of its weights are zero, but {share:.0%} of its {_name(block)} blocks are not"
    pays = f"they would pay below {even:.0%}" if 0 < even < share else "they would not pay at any density"
    return f"{text}: {sparse / max(dense, 1e-12):.2f} times the dense cost; {pays}"
