"""Product quantisation as a technique: its forms are the rates, and bytes for the layers that codewords do not suit."""

from __future__ import annotations

from collections.abc import Sequence

from edgeopt.errors import EdgeoptError
from edgeopt.forms.form import Axis, Evidence, Session
from edgeopt.forms.product_quantize.rates import FINER, RATES
from edgeopt.forms.product_quantize.session import INT8, ProductSession, suits
from edgeopt.forms.quantize.technique import DEFAULT, Quantize, QuantizeSession
from edgeopt.ir import Graph


class ProductQuantize:
    """Weights as codewords of small codebooks, activations in bytes (Wu et al. 2016)."""

    name = "product_quantize"
    axis: Axis = "values"
    about = "weights as codewords of small codebooks, fitted to the responses of layers; all else in bytes"
    done = "product quantised"
    passes: tuple[str, ...] = ("equalize_activations", "quantize", "product_quantize")

    def form_keys(self) -> Sequence[str]:
        """The rates, and bytes."""
        return (*RATES, INT8)

    def first(self) -> str:
        """One bit a weight."""
        return next(iter(RATES))

    def finer(self, key: str) -> Sequence[str]:
        """More bits a weight."""
        return FINER.get(key, ())

    def opset(self, keys: Sequence[str]) -> int:
        """Codes of four bits."""
        return 21

    def obstacle(self, graph: Graph) -> str:
        """There must be a product of some size."""
        if any(suits(node) for node in graph.nodes):
            return ""
        return "it has no convolution or matrix product with constant float32 weights of 16 or more inputs and outputs"

    def left(self, graph: Graph) -> Sequence[str]:
        """What does not suit is offered bytes."""
        return []

    def open(self, evidence: Evidence, keys: Sequence[str]) -> Session:
        """Calibrate the bytes first. Raises EdgeoptError without data, on which grids and codewords depend."""
        if evidence.calibration is None:
            raise EdgeoptError(f"{self.name} fits codewords to what layers read: give samples with --data")
        inner = Quantize().open(evidence, [DEFAULT])
        assert isinstance(inner, QuantizeSession)
        return ProductSession(self, evidence, keys, inner)
