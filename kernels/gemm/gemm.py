"""General matrix products: MatMul, Gemm and FusedGemm, one matrix or a batch of them."""

from __future__ import annotations

from edgeopt.kernels.call import Kernel, KernelCall, Prepared, Site
from edgeopt.kernels.gemm.product import prepared, product_of
from edgeopt.kernels.walk.tiling import Tiling, ranked

TRIED = 3  # tilings that are measured besides the rule's


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a product. Raises Declined for what ``product_of`` cannot express."""
    return prepare(site).calls()


def prepare(site: Site) -> Prepared:
    """The product of a node, by the tiling that is asked for or by rule. Raises Declined as ``select``."""
    product, terms = product_of(site)
    tiling = Tiling(*site.choice) if site.choice else _tilings(site)[0]
    return prepared(site, product, terms, tiling.pixels, tiling.vectors)


def choices(site: Site) -> list[tuple[int, ...]]:
    """Tilings that may be better than the rule's, as (pixels, vectors, across)."""
    return [(t.pixels, t.vectors, t.across) for t in _tilings(site)[1 : 1 + TRIED]]


def _tilings(site: Site) -> list[Tiling]:
    product, _ = product_of(site)
    return ranked(site.target, product.rows, -(-product.columns // site.target.lanes), divided=False)


KERNEL = Kernel("gemm", ("Gemm", "MatMul", "FusedGemm"), select, choices=choices)
