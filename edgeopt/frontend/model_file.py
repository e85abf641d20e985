"""Reads an ONNX file without its external data."""

from __future__ import annotations

from pathlib import Path

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto

from edgeopt.errors import EdgeoptError


def read_model(path: Path) -> ModelProto:
    """The ModelProto in ``path``; external data stays where it is. Raises EdgeoptError when it is not a readable ONNX model."""
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise EdgeoptError(f"{path} {what}; give the path of an ONNX model")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EdgeoptError(f"{path} cannot be read: {error.strerror}") from error
    if not data:
        raise EdgeoptError(f"{path} is empty; the download or the export that wrote it has failed")
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise EdgeoptError(f"{path} is not an ONNX model or is cut short ({len(data)} bytes): {error}; fetch it again") from error
    return model
