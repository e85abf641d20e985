"""Float kernels on weights in few bits: a thread widens one panel of weights into scratch memory, then runs the kernel over it.

The float kernel is asked for its call as if the weight were float32, so that layout, tiling and walk are its own. Its chunks
belong to panels; consecutive chunks of one panel share what was widened. The cost is a few instructions for each weight vector
and chunk, against one multiply-add for each pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgeopt.ir import Array, Node
from edgeopt.kernels.call import Input, KernelCall, Operand, Origin, Packed, Prepared, Site, Temporary
from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.emit.intrinsics import inline, offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.packed.weight_codes import STEPS, group_bytes, lies_whole, pack_panels, panel_bytes, rows, storage_of
from edgeopt.target import Target

WEIGHT, SCALE, BIAS, RESIDUAL = range(1, 5)  # inputs of HybridConv and HybridGemm
INPUTS: dict[Operand, Operand] = {Input(2): Input(BIAS), Input(3): Input(RESIDUAL)}  # of the float operator -> of the hybrid
Compute = Callable[..., None]


@dataclass(frozen=True, eq=False)
class Panels:
    """The panels of one weight: ``codes`` [panel][k][lane] as the float kernel orders them, ``scales`` [panel][lane] or None.

    The first ``outputs`` lanes of all panels mean something. Chunk c belongs to panel ``c // per % panels``. A ``last`` panel
    may be narrower than those in ``codes``.
    """

    codes: Array
    scales: Array | None
    outputs: int
    per: int
    last: Array | None = None


def float_site(site: Site, op: str) -> Site:
    """``site`` as that of the float operator ``op``, whose weight holds the codes as float32. Raises Declined."""
    order = (0, WEIGHT, BIAS, RESIDUAL)
    weight = site.given(WEIGHT)
    codes = replace(weight, type=replace(weight.type, dtype="float32"), array=site.constant(WEIGHT).astype(np.float32))
    inputs = [site.inputs[i] if i < len(site.inputs) else None for i in order]
    node = Node(
        op, [site.node.input(i) for i in order], site.node.outputs, site.node.attributes, site.node.domain, site.node.name
    )
    return Site(node, (inputs[0], codes, *inputs[2:]), site.outputs, site.target, site.choice)


def storage(site: Site, panels: Panels, outputs: int) -> str:
    """How the panels are stored (see ``weight_codes``), zeros that fill them up included, but not those behind the outputs."""
    if site.constant(WEIGHT).dtype == np.float16:
        return "float16"
    parts = [*panels.codes, *([] if panels.last is None else [panels.last])]
    return storage_of(np.concatenate(parts, axis=1)[:, :outputs])


def scales_of(site: Site, count: int, padded: int) -> Array | None:
    """The scale of each of ``count`` output channels, followed by zeros up to ``padded``; None for half precision."""
    if site.optional(SCALE) is None:
        return None
    made = np.zeros(padded, np.float32)
    made[:count] = site.constant(SCALE).reshape(-1)
    return made


def widen_function(target: Target, kind: str, depth: int, count: int, scaled: bool) -> Any:
    """The vector function ``(w, s, panel)`` that widens a panel [depth, count] and multiplies it by the scales s [count]."""

    def emit(e: Emitter, w: Value, s: Value, panel: Value) -> None:
        write_widened(e, kind, depth, count // e.lanes, s if scaled else None, w, panel)

    return vector_function(target, 3, emit)


def write_widened(e: Emitter, kind: str, depth: int, vectors: int, s: Value | None, w: Value, panel: Value) -> None:
    """Write the code that widens a panel of ``depth`` steps of ``vectors`` vectors, and multiplies it by the scales s."""
    factors = [] if s is None else [e.load(s, v * e.lanes) for v in range(vectors)]

    def group(index: Value | int, steps: int) -> list[Value]:
        number = integer(index) if isinstance(index, int) else index
        here = e.at(w, e.builder.mul(number, integer(group_bytes(kind, vectors, e.lanes))))
        made = e.at(panel, e.builder.mul(number, integer(STEPS * vectors * e.lanes)))
        read = rows(e, kind, here, vectors)
        for k in range(steps):
            for v in range(vectors):
                value = read(k, v)
                e.store(e.mul(value, factors[v]) if factors else value, made, (k * vectors + v) * e.lanes)
        return []

    if depth // STEPS:
        e.loop(depth // STEPS, [], lambda index: group(index, STEPS))
    group(depth // STEPS, depth % STEPS)


def on_hybrid(operand: Operand) -> Operand:
    """An operand of the float operator as that of the hybrid one."""
    return INPUTS.get(operand, operand)


def panel_call(site: Site, panels: Panels, made: Prepared, codes: Array | None = None) -> KernelCall:
    """The call of the float product ``made``, whose function is ``(x, w, b, r, y, begin, end)``, over widened panels.

    ``codes`` is the constant whose elements they are, if they are those of one.
    """
    (count, depth, width), kind = panels.codes.shape, storage(site, panels, panels.outputs)
    stored, size = panel_bytes(kind, depth, width), depth * width
    scaled = panels.scales is not None
    packed = pack_panels(panels.codes, kind)
    if panels.last is not None:
        packed = np.concatenate([packed.reshape(-1), pack_panels(panels.last, kind).reshape(-1)])
    narrow = width if panels.last is None else panels.last.shape[-1]
    widen, widen_last = (widen_function(site.target, kind, depth, w, scaled) for w in (width, narrow))
    function = _function(made.function, widen, widen_last, panels.per, count + (panels.last is not None), (stored, width, size))
    x, b, y = (on_hybrid(made.operands[role]) for role in ("x", "bias", "y"))
    r = on_hybrid(made.operands.get("residual", y))
    scales: Operand = Packed(panels.scales) if panels.scales is not None else b
    given = (x, Packed(packed, _origin(codes, made, kind, packed)), scales, b, r, y, Temporary("panel", size, per_thread=True))
    return KernelCall(function, given, (), made.chunks)


def _origin(codes: Array | None, made: Prepared, kind: str, packed: Array) -> Origin | None:
    """What moves whole ``codes`` to where they are ``packed``: what moves the weights of the float product, if it takes them."""
    weights = made.operands["weights"]
    origin = weights.origin if isinstance(weights, Packed) else None
    if codes is None or not lies_whole(codes, kind) or origin is None or origin.pack is None:
        return None
    if not codes.flags.c_contiguous or origin.source.size != codes.size:
        return None
    source = codes.reshape(origin.source.shape)
    again = np.ascontiguousarray(origin.pack(source)).reshape(-1).view(np.uint8)
    return Origin(source, origin.pack) if np.array_equal(again, packed.reshape(-1)) else None


def _function(
    compute: Compute, widen: Any, widen_last: Any, per: int, panels: int, sizes: tuple[int, int, int]
) -> Callable[..., None]:
    run, (stored, width, size) = inline(compute), sizes

    def kernel(x: Any, w: Any, s: Any, b: Any, r: Any, y: Any, panel: Any, begin: int, end: int) -> None:
        known = -1
        for chunk in range(begin, end):
            index = chunk // per % panels
            if index != known:
                if index < panels - 1:
                    widen(offset(w, index * stored), offset(s, index * width), panel)
                else:
                    widen_last(offset(w, index * stored), offset(s, index * width), panel)
                known = index
            run(x, offset(panel, -index * size), b, r, y, chunk, chunk + 1)

    return kernel
