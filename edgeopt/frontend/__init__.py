"""ONNX files in and out."""

from edgeopt.frontend.notes import notes
from edgeopt.frontend.onnx_export import export, save
from edgeopt.frontend.onnx_import import load

__all__ = ["export", "load", "notes", "save"]
