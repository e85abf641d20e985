"""MeanVarianceNormalization and LpNormalization: normalisation over any axes, without weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Site
from edgeopt.kernels.emit.elements import FLOATS, loader, require, scalar, static, storer
from edgeopt.kernels.emit.intrinsics import fabs, inline, sqrt
from edgeopt.kernels.walk.strided import locate, merge, outer, row_major


@cache
def _kernel(dtype: str, name: str) -> Callable[..., None]:
    load, store, kind = loader(dtype), storer(dtype), scalar(dtype)
    zero, one, tiny = kind(0), kind(1), kind(1e-9)
    centred, absolute = name == "variance", name == "absolute"
    size = inline(lambda x: fabs(x) if absolute else x * x)

    def kernel(
        x: Any, y: Any, begin: Any, end: Any, d1: Any, d2: Any, d3: Any, s0: Any, s1: Any, s2: Any, s3: Any,
        r0: Any, r1: Any, r2: Any, t0: Any, t1: Any, t2: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            first, mean, total, count = locate(chunk, d1, d2, d3, s0, s1, s2, s3), zero, zero, kind(r0 * r1 * r2)
            if centred:
                for a in range(r0):
                    for b in range(r1):
                        for c in range(r2):
                            mean += load(x, first + a * t0 + b * t1 + c * t2)
                mean = mean / count
            for a in range(r0):
                for b in range(r1):
                    for c in range(r2):
                        total += size(load(x, first + a * t0 + b * t1 + c * t2) - mean)
            norm = sqrt(total / count) + tiny if centred else (total if absolute else sqrt(total))
            inverse = one / norm if norm > zero else zero
            for a in range(r0):
                for b in range(r1):
                    for c in range(r2):
                        at = first + a * t0 + b * t1 + c * t2
                        store(y, at, (load(x, at) - mean) * inverse)

    return kernel


def _call(site: Site, name: str, axes: tuple[int, ...]) -> tuple[KernelCall, ...]:
    x = site.given(0)
    static(x)
    require(x, *FLOATS)
    steps, kept = row_major(x.shape), [a for a in range(len(x.shape)) if a not in axes]
    extents, (kept_steps,) = outer([x.shape[a] for a in kept], [steps[a] for a in kept])
    inner, (inner_steps,) = merge([x.shape[a] for a in axes], [steps[a] for a in axes])
    missing = 3 - len(inner)
    if missing < 0:
        raise Declined("more than three independent normalised dimensions")
    walk = (*(1,) * missing, *inner, *(0,) * missing, *inner_steps)
    key = (x.type.dtype, name)
    return (KernelCall(_kernel(*key), (Input(0), Output(0)), (*extents[1:], *kept_steps, *walk), prod(extents)),)


def _select_variance(site: Site) -> tuple[KernelCall, ...]:
    rank = len(site.given(0).shape)
    return _call(site, "variance", tuple(sorted(a % rank for a in site.node.integers("axes", (0, 2, 3)))))


def _select_lp(site: Site) -> tuple[KernelCall, ...]:
    name = "absolute" if site.node.integer("p", 2) == 1 else "square"
    return _call(site, name, (site.node.integer("axis", -1) % len(site.given(0).shape),))


KERNELS = (
    Kernel("mean_variance_normalization", ("MeanVarianceNormalization",), _select_variance),
    Kernel("lp_normalization", ("LpNormalization",), _select_lp),
)
