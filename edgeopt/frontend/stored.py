"""Constants that stay in the model file or its data files until somebody reads them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import SparseTensorProto, TensorProto, numpy_helper

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.tensor_check import external_path
from edgeopt.ir import Array

_SMALL = 1 << 16  # bytes


@dataclass(frozen=True)
class StoredTensor:
    """The loader of one constant: calling it reads the data. ``folder`` is where external data lies."""

    tensor: TensorProto
    folder: Path | None = None

    def __call__(self) -> Array:
        """Read the data. Raises EdgeoptError when the data file has gone since the import."""
        where = f"constant '{self.tensor.name}'"
        if self.tensor.data_location == TensorProto.EXTERNAL and self.folder is not None:
            external_path(next(e.value for e in self.tensor.external_data if e.key == "location"), self.folder, where)
        try:
            array = numpy_helper.to_array(self.tensor, str(self.folder or ""))
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            raise EdgeoptError(f"{where} cannot be read: {error}") from error
        return np.asarray(array)

    @property
    def inline(self) -> bool:
        """True when the data lies in the model file itself."""
        return self.tensor.data_location != TensorProto.EXTERNAL


def apart(tensor: TensorProto) -> TensorProto:
    """A small tensor by itself: all messages of a file lie in one memory, which the last of them that is read would keep."""
    if tensor.ByteSize() > _SMALL:
        return tensor
    made = TensorProto()
    made.CopyFrom(tensor)
    return made


def densify(sparse: SparseTensorProto) -> TensorProto:
    """A sparse tensor (COO, linear or per-axis indices) as a dense one. Raises EdgeoptError when its indices are out of range."""
    name, dims = sparse.values.name, list(sparse.dims)
    values = numpy_helper.to_array(sparse.values)
    indices = numpy_helper.to_array(sparse.indices).astype(np.int64)
    dense = np.zeros(dims, values.dtype)
    try:
        if indices.ndim == 2:
            indices = np.ravel_multi_index(tuple(indices.T), tuple(dims))
        if indices.size and int(indices.min()) < 0:
            raise ValueError("negative index")
        dense.reshape(-1)[indices] = values
    except (ValueError, IndexError) as error:
        raise EdgeoptError(f"the sparse constant '{name}' has indices that do not fit its shape {dims}: {error}") from error
    return numpy_helper.from_array(dense, name)
