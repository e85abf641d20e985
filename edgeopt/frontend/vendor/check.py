"""Checks nodes of other domains than ONNX's: the contract of those whose meaning is known, a way out for the rest."""

from __future__ import annotations

from onnx import NodeProto

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.vendor import CONTRACTS

LAYOUT_DOMAINS = ("com.microsoft.nchwc", "com.ms.internal.nhwc")
BASIC = "optimise the model with onnxruntime at ORT_ENABLE_BASIC only, or compile the original"


def check_contract(node: NodeProto, where: str) -> None:
    """Raise EdgeoptError when the meaning of ``node`` is unknown, or its inputs or attributes are not in its contract."""
    contract = CONTRACTS.get(node.op_type)
    if contract is None:
        raise EdgeoptError(f"{where} is an operator of onnxruntime whose meaning edgeopt does not know; {BASIC}")
    if not contract.complete(node.input):
        raise EdgeoptError(f"{where} lacks an input or has more than {contract.most}; the file is damaged")
    if not 1 <= len(node.output) <= contract.outputs:
        raise EdgeoptError(f"{where} has {len(node.output)} outputs where 1 to {contract.outputs} are allowed")
    unknown = sorted({a.name for a in node.attribute} - set(contract.attributes))
    if unknown:
        raise EdgeoptError(f"{where} has the attribute '{unknown[0]}', whose meaning edgeopt does not know; {BASIC}")


def way_out(domain: str) -> str:
    """What is wrong with a domain that is nobody's, and what to do about it."""
    if domain in LAYOUT_DOMAINS:
        return f"a layout that onnxruntime chose for one machine; {BASIC}"
    if domain == "ai.onnx.ml":
        return "classical machine learning, which edgeopt does not compile; run that part beside the network"
    return "which edgeopt does not know; give the model a function for it, or export it in standard operators"
