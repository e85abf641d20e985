"""How a 3x3 convolution is cut into tiles and blocks for Winograd's F(4,3) or F(2,3), and what that is estimated to cost."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgeopt.ir import Node
from edgeopt.kernels.call import Declined, Site, Tensor
from edgeopt.kernels.walk.plane_window import Halo, conv_window
from edgeopt.kernels.walk.tiling import Tiling, ranked
from edgeopt.target import Target

TRIED = 2  # tilings of F(4,3) and of F(2,3) that are measured; chosen by hand
SHARED = 2  # shares of the bandwidth to memory, one of them ours: other cores read, too; chosen by hand
FEWEST_TILES = 24  # tiles in a block, below which reading the weights again for every block costs too much; chosen by hand


@dataclass(frozen=True)
class Plan:
    """Geometry of a convolution: tiles of ``m`` x ``m`` outputs, ``count`` of them in a block, inputs and outputs in vectors,
    ``channels`` in each of ``group`` convolution groups.

    ``whole``: one block holds the map and the phases are separate calls.
    """

    m: int
    height: int
    width: int
    across: int
    tiles: int
    count: int
    blocks: int
    whole: bool
    inputs: int
    outputs: int
    channels: int
    group: int
    top: int
    left: int
    tiling: Tiling

    @property
    def positions(self) -> int:
        """Products of a tile for one pair of channels."""
        return (self.m + 2) ** 2

    def stride(self, vectors: int, lanes: int) -> int:
        """Elements from one position to the next in a transformed block; odd in lines, so that positions do not collide."""
        return (vectors * self.count + 1) * lanes


def best_plan(site: Site) -> Plan:
    """The plan that ``site`` asks for, else the one of the fewest cycles. Raises Declined for other windows."""
    if site.choice:
        return _chosen(site)
    return min(_plans(site), key=lambda plan: cycles(site.target, plan))


def choices(site: Site) -> list[tuple[int, ...]]:
    """Forms and tilings that may be better than the rule's, as (m, pixels, vectors, across)."""
    made = [(p.m, t) for p in _plans(site) for t in _tilings(site.target, p, site.outputs[0].layout.block)[:TRIED]]
    return [(m, t.pixels, t.vectors, t.across) for m, t in made]


def _plans(site: Site) -> list[Plan]:
    pads, group = _pads(site.node), site.node.integer("group", 1)
    return [make_plan(site.target, site.given(0), site.outputs[0], pads, group, m) for m in (2, 4)]


def _chosen(site: Site) -> Plan:
    m, *tiling = site.choice
    return replace(next(p for p in _plans(site) if p.m == m), tiling=Tiling(*tiling))


def _tilings(target: Target, plan: Plan, block: int) -> list[Tiling]:
    return ranked(target, plan.count, plan.outputs // plan.group, block // target.lanes, reading=_reading(target, plan))


def _reading(target: Target, plan: Plan) -> float:
    """Cycles in which a weight vector comes from memory; none where all of them stay in the second cache."""
    weights = plan.positions * plan.channels * plan.outputs * target.vector_bytes
    return arrival(target) if weights > target.l2 else 0.0


def arrival(target: Target) -> float:
    """Cycles in which one vector comes from memory."""
    return target.vector_bytes * target.frequency * SHARED / target.bandwidth


def _pads(node: Node) -> Halo:
    window = conv_window(node)
    if window.kernel != (3, 3) or window.strides != (1, 1) or window.dilations != (1, 1):
        raise Declined("it is not 3x3 of stride one")
    return window.halo


def make_plan(target: Target, x: Tensor, y: Tensor, pads: Halo, group: int, m: int) -> Plan:
    """The plan of F(m, 3): as many tiles in a block as keep its transformed inputs and outputs in half the second cache."""
    inputs, outputs = (t.blocks * t.layout.block // target.lanes for t in (x, y))
    across = -(-y.shape[3] // m)
    tiles = across * -(-y.shape[2] // m)
    most = max(FEWEST_TILES, target.l2 // 2 // ((m + 2) ** 2 * (inputs + outputs) * target.vector_bytes))
    blocks = -(-tiles // most)
    whole = blocks <= 2 and tiles <= 2 * FEWEST_TILES
    blocks = _shared(target.cores, tiles, blocks)
    count = tiles if whole else -(-tiles // blocks)
    plan = Plan(
        m=m,
        height=y.shape[2],
        width=y.shape[3],
        across=across,
        tiles=tiles,
        count=count,
        blocks=1 if whole else blocks,
        whole=whole,
        inputs=inputs,
        outputs=outputs,
        channels=x.shape[1] // group,
        group=group,
        top=pads[0],
        left=pads[1],
        tiling=Tiling(1, 1, count),
    )
    return replace(plan, tiling=_tilings(target, plan, y.layout.block)[0])


def _shared(cores: int, tiles: int, blocks: int) -> int:
    """``blocks`` at least, two for each core where tiles are enough for that, and as many for one core as for another."""
    most = tiles // FEWEST_TILES
    blocks = max(blocks, min(2 * cores, most))
    even = -(-blocks // cores) * cores
    return even if even <= most else blocks


def cycles(target: Target, plan: Plan) -> float:
    """Estimated cycles per image at one vector multiplication a cycle, or of reading the weights, where that lasts longer."""
    size = plan.m + 2
    transforms = plan.tiles * (plan.inputs * 5 * size * size + plan.outputs * 4 * size * size)
    products = plan.outputs * max(plan.count + 0.0, _reading(target, plan))
    return transforms + size * size * plan.channels * plan.blocks * products


def halo(node: Node) -> Halo:
    """The border that whole tiles of 4 x 4 outputs touch: the pads and what the last tiles read beyond them."""
    try:
        top, left, bottom, right = _pads(node)
    except Declined:
        return 0, 0, 0, 0
    assert node.output.type is not None
    over = [-size % 4 for size in node.output.type.dims[2:]]
    return top, left, bottom + over[0], right + over[1]
