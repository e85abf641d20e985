"""The contract of a node on the arrays that it is given when the model runs: then computed indices and sizes are known too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, Node, TensorType, Value
from edgeopt.ops.contracts.table import misfit


def require_arrays_fit(node: Node, arrays: Sequence[Array | None]) -> None:
    """Raise EdgeoptError when ``arrays``, in the order of the inputs (None where left out), break the contract of ``node``.

    What is no array (a sequence, an absent optional) is not judged.
    """
    values = [_known(v, a) for v, a in zip(node.inputs, arrays, strict=True)]
    outputs = [Value(out.name, out.type) for out in node.outputs]
    given = Node(node.op, values, outputs, node.attributes, node.domain, node.name, graph=node.graph)
    reason = misfit(given)
    if reason:
        raise EdgeoptError(f"the inputs of {node!r} do not fit together: {reason}; check what is fed to the model")


def _known(value: Value | None, array: Array | None) -> Value | None:
    if value is None:
        return None
    if not isinstance(array, np.ndarray) or array.dtype == object:
        return Value(value.name, value.type)
    dtype = value.type.dtype if value.type is not None and value.type.proto is None else array.dtype.name
    return Value(value.name, TensorType(dtype, array.shape), _array=array)
