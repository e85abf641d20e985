"""Reads an ONNX file without its external data."""

from __future__ import annotations

from pathlib import Path

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto

from edgeopt.errors import EdgeoptError
from edgeopt.files import PROTOBUF_LIMIT, read_regular


def read_model(path: Path) -> ModelProto:
    """The ModelProto in ``path``; external data stays where it is. Raises EdgeoptError when it is not a readable ONNX model."""
    data = read_regular(path, PROTOBUF_LIMIT)
    if not data:
        raise EdgeoptError(f"{path} is empty; the download or the export that wrote it has failed")
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise EdgeoptError(f"{path} is not an ONNX model or is cut short ({len(data)} bytes): {error}; fetch it again") from error
    return model
