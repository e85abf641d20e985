"""Fully connected layers: products with a constant matrix and very few rows, limited by reading the matrix once from memory."""

from __future__ import annotations

from edgeopt.kernels.call import Declined, Kernel, KernelCall, Site
from edgeopt.kernels.gemm.product import prepared, product_of

MOST_ROWS = 3  # chosen by hand
VECTORS = 8  # output vectors that are summed side by side


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a product of at most ``MOST_ROWS`` rows. Raises Declined for others."""
    product, terms = product_of(site)
    if product.rows > MOST_ROWS:
        raise Declined(f"{product.rows} rows are enough for the general product")
    room = (site.target.float_registers - 1) // (product.rows + 1)
    return prepared(site, product, terms, product.rows, max(1, min(VECTORS, room))).calls()


KERNEL = Kernel("gemv", ("Gemm", "MatMul", "FusedGemm"), select)
