"""GatedConv: a convolution whose weights are multiplied by one factor for each input channel before it runs.

In the blocked layout its panels are scaled into scratch memory, which the float product then reads in their place. Elsewhere the
map is multiplied, and the convolution computed by its definition.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from edgeopt.ir import OWN_DOMAIN, Node
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Site, Temporary, Tensor
from edgeopt.kernels.conv import conv_blocked, conv_direct
from edgeopt.kernels.emit.emitter import Emitter, Value
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.pointwise import binary
from edgeopt.kernels.walk.plane_window import conv_halo
from edgeopt.target import Target

GATE = 4  # input
CRUMB = 4096  # weights below which a chunk is not worth a claim


@dataclass(frozen=True)
class Panels:
    """``panels`` of weights of ``depth`` input channels of ``vectors`` vectors; a chunk scales ``run`` channels of a panel."""

    panels: int
    depth: int
    vectors: int
    run: int


def _select(site: Site) -> tuple[KernelCall, ...]:
    gate, made = site.given(GATE), conv_blocked.prepare(_convolution(site), even=True)
    if gate.plane != 1 or gate.shape[0] != 1:
        raise Declined("its gate has a border, or there are several images")
    weights, lanes = made.packed("weights"), site.target.lanes
    vectors = made.packed("bias").size // weights.shape[0] // lanes
    depth = weights.shape[1] // (vectors * lanes)
    if depth > gate.elements:
        raise Declined("its window has several positions")
    run = max(1, min(depth, CRUMB // (vectors * lanes)))
    form = Panels(weights.shape[0], depth, vectors, run)
    scaled = Temporary("scaled weights", weights.size)
    operands = (made.operands["weights"], Input(GATE), scaled)
    scale = KernelCall(_scale(site.target, form), operands, (), form.panels * -(-depth // run))
    return (*made.before, scale, made.call(weights=scaled))


def _choices(site: Site) -> list[tuple[int, ...]]:
    """Tilings of the convolution that may be better than the rule's."""
    return conv_blocked.choices(_convolution(site), even=True)


def _convolution(site: Site) -> Site:
    """The site as one of the convolution without the gate."""
    given, node = site.inputs[:GATE], site.node
    made = Node("FusedConv", node.inputs[:GATE], node.outputs, dict(node.attributes), OWN_DOMAIN, node.name)
    return replace(site, node=made, inputs=given)


def _scale(target: Target, form: Panels) -> Callable[..., None]:
    row = vector_function(target, 3, lambda e, w, g, y: _emit(e, form, w, g, y))
    width, depth, run = form.vectors * target.lanes, form.depth, form.run
    parts = -(-depth // run)

    def scale(w: Any, g: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            panel, first = chunk // parts, chunk % parts * run
            for channel in range(first, min(first + run, depth)):
                at = (panel * depth + channel) * width
                row(offset(w, at), offset(g, channel), offset(y, at))

    return scale


def _emit(e: Emitter, form: Panels, w: Value, g: Value, y: Value) -> None:
    """The weights of one channel."""
    factor = e.broadcast(g)
    for v in range(form.vectors):
        e.store(e.mul(e.load(w, v * e.lanes), factor), y, v * e.lanes)


def _select_plain(site: Site) -> tuple[KernelCall, ...]:
    x, map_ = site.given(0), Temporary("map", site.given(0).elements)
    made = Tensor(x.type)
    product = Site(Node("Mul", [], [], name=site.node.name), (x, site.given(GATE)), (made,), site.target)
    calls = [_moved(call, {Input(1): Input(GATE), Output(): map_}) for call in binary.KERNEL.select(product)]
    calls += [_moved(call, {Input(0): map_}) for call in conv_direct.KERNEL.select(_convolution(site))]
    return tuple(calls)


def _moved(call: KernelCall, places: dict[Any, Any]) -> KernelCall:
    return replace(call, operands=tuple(places.get(o, o) for o in call.operands))


KERNELS = (
    Kernel("conv_gated", ("GatedConv",), _select, layout="blocked", hot=True, halo=conv_halo, choices=_choices),
    Kernel("conv_gated_plain", ("GatedConv",), _select_plain, by_definition=True),
)
