"""TopK along one axis by insertion into the k best so far; among equal elements the one with the lower index comes first.

NaN counts as larger than any number, as in onnxruntime and numpy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

from edgeopt.kernels.call import Input, Kernel, KernelCall, Output, Site
from edgeopt.kernels.emit.elements import loader, static, storer
from edgeopt.kernels.emit.intrinsics import inline


@cache
def _kernel(dtype: str, largest: bool) -> Callable[..., None]:
    load, store = loader(dtype), storer(dtype)
    above = inline(lambda a, b: a > b or (a != a and b == b))
    ahead = above if largest else inline(lambda a, b: above(b, a))

    def kernel(x: Any, y: Any, z: Any, begin: Any, end: Any, n: Any, k: Any, inner: Any) -> None:
        for chunk in range(begin, end):
            for i in range(inner):
                first, result, size = chunk * n * inner + i, chunk * k * inner + i, 0
                for at in range(n):
                    value = load(x, first + at * inner)
                    if size == k and not ahead(value, load(y, result + (k - 1) * inner)):
                        continue
                    place = size if size < k else k - 1
                    while place > 0 and ahead(value, load(y, result + (place - 1) * inner)):
                        store(y, result + place * inner, load(y, result + (place - 1) * inner))
                        z[result + place * inner] = z[result + (place - 1) * inner]
                        place -= 1
                    store(y, result + place * inner, value)
                    z[result + place * inner] = at
                    size = min(size + 1, k)

    return kernel


def _select(site: Site) -> tuple[KernelCall, ...]:
    x, y, node = site.given(0), site.outputs[0], site.node
    static(x, y, site.outputs[1])
    axis = node.integer("axis", -1) % len(x.shape)
    n, k, inner = x.shape[axis], y.shape[axis], prod(x.shape[axis + 1 :])
    key = (x.type.dtype, bool(node.integer("largest", 1)))
    chunks = prod(x.shape[:axis]) if k else 0
    return (KernelCall(_kernel(*key), (Input(0), Output(0), Output(1)), (n, k, inner), chunks),)


KERNEL = Kernel("top_k", ("TopK",), _select)
