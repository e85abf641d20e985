"""General matrix products: MatMul, Gemm and FusedGemm, one matrix or a batch of them."""

from __future__ import annotations

from edgeopt.kernels.call import Kernel, KernelCall, Site
from edgeopt.kernels.product import product_call, product_of
from edgeopt.kernels.tiling import choose


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a product. Raises Declined for what ``product_of`` cannot express."""
    product, terms = product_of(site)
    tiling = choose(site.target, product.rows, -(-product.columns // site.target.lanes), divided=False)
    return (product_call(site, product, terms, tiling.pixels, tiling.vectors, "gemm"),)


KERNEL = Kernel("gemm", ("Gemm", "MatMul", "FusedGemm"), select)
