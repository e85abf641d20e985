"""What operators of the domain ``com.microsoft`` mean: for each a body of standard nodes (or of our own operators).

onnxruntime writes them into the models that it optimises or quantises.
"""

from __future__ import annotations

from edgeopt.frontend.vendor import (
    activations,
    dynamic,
    embedding,
    normalization,
    pooling,
    products,
    quantized,
    recurrent,
    rounding,
)
from edgeopt.frontend.vendor.contract import DOMAIN, Contract

CONTRACTS: dict[str, Contract] = {
    **activations.CONTRACTS,
    **dynamic.CONTRACTS,
    **embedding.CONTRACTS,
    **normalization.CONTRACTS,
    **pooling.CONTRACTS,
    **products.CONTRACTS,
    **quantized.CONTRACTS,
    **recurrent.CONTRACTS,
    **rounding.CONTRACTS,
}
# onnxruntime writes these into the domain of ONNX, whatever version that has.
UNDER_ONNX = ("LayerNormalization", "SimplifiedLayerNormalization")

__all__ = ["CONTRACTS", "DOMAIN", "UNDER_ONNX", "Contract"]
