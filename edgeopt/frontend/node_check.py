"""Checks single nodes against the schemas of ONNX, in Python and with messages that name the node."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import AttributeProto, NodeProto, TypeProto

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.structure import describe
from edgeopt.frontend.tensor_check import MAX_ELEMENTS, check_tensor, element_bits
from edgeopt.frontend.vendor import DOMAIN, UNDER_ONNX
from edgeopt.frontend.vendor.check import check_contract, way_out
from edgeopt.frontend.versions import ADAPTERS
from edgeopt.ops.table import OWN_OPS, attribute_kinds, schema

STANDARD_DOMAINS = ("", "ai.onnx.preview", "ai.onnx.preview.training", "ai.onnx.training")
NOWHERE = ("MaxRoiPool", "Multinomial")  # neither a kernel nor onnx.reference computes them
OWN_DOMAIN = "ai.edgeopt"
_TERM = r"[A-Za-z ]*(\.\.\.)?[A-Za-z ]*"
EQUATION = re.compile(f"{_TERM}(,{_TERM})*(->{_TERM})?")
_SINGLE = onnx.defs.OpSchema.FormalParameterOption.Single
_FIELDS = {
    AttributeProto.FLOAT: ("f", False),
    AttributeProto.INT: ("i", False),
    AttributeProto.STRING: ("s", False),
    AttributeProto.TENSOR: ("t", True),
    AttributeProto.GRAPH: ("g", True),
    AttributeProto.SPARSE_TENSOR: ("sparse_tensor", True),
    AttributeProto.TYPE_PROTO: ("tp", True),
}


@dataclass(frozen=True)
class NodeChecker:
    """Checks nodes for the operator sets of one model or function. ``functions`` are the (domain, name) of its functions."""

    opsets: Mapping[str, int]
    functions: Set[tuple[str, str]]
    folder: Path | None
    references: bool = False

    def __call__(self, node: NodeProto) -> None:
        """Raise EdgeoptError when ``node`` is unknown, or its inputs, outputs or attributes are not what its schema says."""
        where = describe(node)
        if not node.op_type:
            raise EdgeoptError(f"the node {where} has no operator; the file is damaged")
        kinds: set[str] = set()
        for attribute in node.attribute:
            if attribute.name in kinds or not attribute.name:
                raise EdgeoptError(f"{where} has the attribute '{attribute.name}' twice or without a name")
            kinds.add(attribute.name)
            self._check_attribute(attribute, where)
        if (node.domain, node.op_type) not in self.functions:
            self._check_operator(node, where)

    def _check_operator(self, node: NodeProto, where: str) -> None:
        version = self.opsets.get(node.domain)
        if version is None:
            raise EdgeoptError(f"{where} is of the domain '{node.domain}', which the model does not import")
        if node.domain == OWN_DOMAIN and node.op_type not in OWN_OPS:
            raise EdgeoptError(f"{where} is unknown to this version of edgeopt and the model brings no function for it")
        if node.domain == OWN_DOMAIN:
            return
        known = schema(node.op_type, node.domain, version) if node.domain in STANDARD_DOMAINS else None
        if node.domain == DOMAIN or (known is None and not node.domain and node.op_type in UNDER_ONNX):
            return check_contract(node, where)
        if node.domain not in STANDARD_DOMAINS:
            raise EdgeoptError(f"{where} is of the domain '{node.domain}', {way_out(node.domain)}")
        adapted = not node.domain and node.op_type in ADAPTERS and version < ADAPTERS[node.op_type].below
        if known is None or (known.deprecated and not adapted):
            what = "unknown in" if known is None else "withdrawn from"
            raise EdgeoptError(f"{where} is {what} opset {version}; export the model with an opset that has it")
        if not node.domain and node.op_type in NOWHERE:
            raise EdgeoptError(f"{where} is an operator that edgeopt cannot compute; export the model without it")
        _check_arity(node, known, where)
        _check_names(node, known, version, where)
        _check_equation(node, where)

    def _check_attribute(self, attribute: AttributeProto, where: str) -> None:
        what = f"{where}: attribute '{attribute.name}'"
        if attribute.ref_attr_name:
            if not self.references:
                raise EdgeoptError(f"{what} refers to a function's attribute outside a function")
            return
        if attribute.type == AttributeProto.UNDEFINED or attribute.type not in AttributeProto.AttributeType.values():
            raise EdgeoptError(f"{what} has no known type")
        field, required = _FIELDS.get(attribute.type, ("", False))
        if required and not attribute.HasField(field):
            raise EdgeoptError(f"{what} has no value")
        _check_texts(attribute, what)
        for tensor in [*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors]:
            check_tensor(tensor, self.folder, f"{what}, its tensor")
        for sparse in [*([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []), *attribute.sparse_tensors]:
            check_sparse(sparse, what)
        if attribute.HasField("tp"):
            check_type(attribute.tp, what)


def check_sparse(sparse: onnx.SparseTensorProto, where: str) -> None:
    """Raise EdgeoptError when a sparse tensor's values and indices do not belong together."""
    check_tensor(sparse.values, None, f"{where}, its sparse values")
    check_tensor(sparse.indices, None, f"{where}, its sparse indices")
    count = sparse.values.dims[0] if len(sparse.values.dims) == 1 else -1
    dims = list(sparse.indices.dims)
    total = 1
    for dim in sparse.dims:
        total *= max(dim, 0)
    if total > MAX_ELEMENTS or any(d < 0 for d in sparse.dims) or dims not in ([count], [count, len(sparse.dims)]):
        raise EdgeoptError(f"{where}: the sparse tensor of shape {list(sparse.dims)} has {count} values and indices {dims}")
    if sparse.indices.data_type != onnx.TensorProto.INT64:
        raise EdgeoptError(f"{where}: the indices of a sparse tensor must be int64")


def check_type(proto: TypeProto, where: str) -> None:
    """Raise EdgeoptError for an unknown element type or more elements than any machine holds."""
    kind = proto.WhichOneof("value")
    if kind in ("sequence_type", "optional_type"):
        check_type(getattr(proto, kind).elem_type, where)
    if kind != "tensor_type" or not proto.tensor_type.elem_type:
        return
    try:
        element_bits(proto.tensor_type.elem_type)
    except EdgeoptError as error:
        raise EdgeoptError(f"{where}: {error}") from error
    total = 1
    for dim in proto.tensor_type.shape.dim:
        total *= max(dim.dim_value, 1)
    if total > MAX_ELEMENTS:
        raise EdgeoptError(f"{where} has {total} elements, more than any machine holds; correct its shape")


def _check_texts(attribute: AttributeProto, what: str) -> None:
    try:
        for text in [attribute.s, *attribute.strings]:
            text.decode()
    except UnicodeDecodeError as error:
        raise EdgeoptError(f"{what} is not valid UTF-8 text") from error


def _check_equation(node: NodeProto, where: str) -> None:
    """The native parser of Einsum equations never ends on some that are malformed."""
    for attribute in node.attribute:
        if node.op_type == "Einsum" and attribute.name == "equation" and not EQUATION.fullmatch(attribute.s.decode()):
            raise EdgeoptError(f"{where} has the malformed equation {attribute.s.decode()!r}")


def _check_arity(node: NodeProto, known: onnx.defs.OpSchema, where: str) -> None:
    counts = ((len(node.input), known.min_input, known.max_input, "inputs"),)
    for count, low, high, what in (*counts, (len(node.output), known.min_output, known.max_output, "outputs")):
        if not low <= count <= high:
            raise EdgeoptError(f"{where} has {count} {what} where {low} to {high} are allowed")
    for name, formal in zip(node.input, known.inputs, strict=False):
        if not name and formal.option == _SINGLE:
            raise EdgeoptError(f"{where} lacks its input '{formal.name}'")


def _check_names(node: NodeProto, known: onnx.defs.OpSchema, version: int, where: str) -> None:
    kinds = attribute_kinds(node.op_type, node.domain, version)
    for attribute in node.attribute:
        if attribute.name not in kinds:
            raise EdgeoptError(f"{where} has the attribute '{attribute.name}', which opset {version} does not know")
        if attribute.type != kinds[attribute.name]:
            right = AttributeProto.AttributeType.Name(kinds[attribute.name])
            raise EdgeoptError(f"{where}: attribute '{attribute.name}' must be of type {right}")
    missing = {n for n, a in known.attributes.items() if a.required} - {a.name for a in node.attribute}
    if missing:
        raise EdgeoptError(f"{where} lacks the attribute '{min(missing)}'")
