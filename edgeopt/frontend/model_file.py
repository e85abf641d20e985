"""Reads an ONNX file without its external data."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto

from edgeopt.errors import EdgeoptError
from edgeopt.files import PROTOBUF_LIMIT, read_regular
from edgeopt.frontend.foreign_format import foreign


def file_digest(path: Path) -> str:
    """The SHA-256 of the file at ``path``, without its external data. Raises EdgeoptError when it cannot be read."""
    return hashlib.sha256(_bytes_of(path)).hexdigest()


def read_model(path: Path) -> ModelProto:
    """The ModelProto in ``path``; external data stays where it is. Raises EdgeoptError when it is not a readable ONNX model."""
    data = _bytes_of(path)
    if not data:
        raise EdgeoptError(f"{path} is empty; the download or the export that wrote it has failed")
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, ValueError, RuntimeError) as error:
        if hint := foreign(path, data):
            raise EdgeoptError(hint) from error
        raise EdgeoptError(f"{path} is not an ONNX model or is cut short ({len(data)} bytes): {error}; fetch it again") from error
    if not model.opset_import and (hint := foreign(path, data)):  # some files of others can be read so, as nothing
        raise EdgeoptError(hint)
    return model


def _bytes_of(path: Path) -> bytes:
    if os.path.isdir(path):  # False for what cannot be a path, which read_regular says
        raise EdgeoptError(foreign(path))
    return read_regular(path, PROTOBUF_LIMIT)
