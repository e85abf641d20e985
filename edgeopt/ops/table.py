"""The operators of ``ai.edgeopt``, and the schemas of the standard ones."""

from __future__ import annotations

from functools import lru_cache

import onnx

from edgeopt.ir import Node
from edgeopt.ops.activations import GELU, HARD_SWISH, SILU
from edgeopt.ops.attention import FUSED_ATTENTION
from edgeopt.ops.definition import Body, OwnOp
from edgeopt.ops.dynamic import DYNAMIC
from edgeopt.ops.fused import FUSED_CONV, FUSED_GEMM, GATED_CONV, PRELU_CONV
from edgeopt.ops.hybrid import HYBRID
from edgeopt.ops.lookup import LOOKUP
from edgeopt.ops.mish import MISH
from edgeopt.ops.normalization import LAYER_NORMALIZATION, RMS_NORMALIZATION
from edgeopt.ops.quantized import QUANTIZED
from edgeopt.ops.quantized_recurrent import QUANTIZED_RECURRENT
from edgeopt.ops.recurrent import HYBRID_RECURRENT
from edgeopt.ops.sparse import SPARSE

_ALL = (
    FUSED_CONV,
    FUSED_GEMM,
    PRELU_CONV,
    GATED_CONV,
    FUSED_ATTENTION,
    SILU,
    GELU,
    HARD_SWISH,
    MISH,
    LAYER_NORMALIZATION,
    RMS_NORMALIZATION,
    *DYNAMIC,
    *QUANTIZED,
    *HYBRID,
    *HYBRID_RECURRENT,
    *QUANTIZED_RECURRENT,
    *SPARSE,
    *LOOKUP,
)
OWN_OPS: dict[str, OwnOp] = {own.name: own for own in _ALL}


@lru_cache(maxsize=4096)
def schema(op: str, domain: str, opset: int) -> onnx.defs.OpSchema | None:
    """The schema of a standard operator at ``opset``, or None when there is none."""
    try:
        return onnx.defs.get_schema(op, opset, domain)
    except onnx.defs.SchemaError:
        return None


@lru_cache(maxsize=4096)
def attribute_kinds(op: str, domain: str, opset: int) -> dict[str, int]:
    """Attribute name -> AttributeProto.AttributeType of a standard operator; empty for any other."""
    known = schema(op, domain, opset)
    if known is None:
        return {}
    return {name: int(a.type.value) for name, a in known.attributes.items()}  # type: ignore[attr-defined]


def own_body(node: Node, opset: int) -> Body:
    """The standard nodes that mean the own operator ``node``. Raises KeyError for an operator that is not ours."""
    body = Body(opset)
    OWN_OPS[node.op].build(node, body)
    return body
