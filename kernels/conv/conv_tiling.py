"""Which register tiles a convolution in the blocked layout has."""

from __future__ import annotations

from edgeopt.kernels.call import Site, Tensor
from edgeopt.kernels.conv.merged_groups import groups_together
from edgeopt.kernels.emit.epilogue import activation_of
from edgeopt.kernels.walk.plane_window import PlaneWindow, conv_window
from edgeopt.kernels.walk.tiling import Tiling, cost, ranked

UNEVEN = 0.95  # of the slots, from which on tiles that leave a narrower one behind are worth its code; chosen by hand


def tilings(site: Site, even: bool = False) -> list[Tiling]:
    """Tilings, the cheapest first; of those that leave a narrower tile behind only where they are cheaper by much.

    Where multiplications take a lane, inputs need few loads, and tiles of few vectors are as good.
    """
    target, x, y = site.target, site.given(0), site.outputs[0]
    flat, groups = is_flat(conv_window(site.node), x, y, site.optional(3)), groups_of(site)
    width, vectors = y.shape[2] * y.shape[3] if flat else y.shape[3], y.blocks * y.layout.block // target.lanes // groups
    found = ranked(target, width, vectors, x.layout.block // target.lanes)
    if even or groups > 1 or target.multiplies_by_lane or activation_of(site.node).sloped:
        return found
    uneven = ranked(target, width, vectors, x.layout.block // target.lanes, divided=False)
    return uneven if cost(uneven[0], vectors) < UNEVEN * cost(found[0], vectors) else found


def groups_of(site: Site) -> int:
    """Groups after merging those that fill no block. Raises Declined."""
    group, weight, block = site.node.integer("group", 1), site.given(1), site.given(0).layout.block
    return group // groups_together(group, weight.shape[1], weight.shape[0] // group, block)


def is_flat(window: PlaneWindow, x: Tensor, y: Tensor, residual: Tensor | None) -> bool:
    """A 1x1 window of stride one over maps without halos walks the plane as one row."""
    tensors = [x, y] + ([residual] if residual is not None else [])
    return window.kernel == (1, 1) and window.strides == (1, 1) and all(t.plane == y.shape[2] * y.shape[3] for t in tensors)
