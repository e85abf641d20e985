"""onnxruntime without optimizations: what an exported model must agree with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto

from edgeopt.target import host

SATURATES = host().multiplies_words  # sums of two products of bytes, here by vpmaddubsw


def run(model: ModelProto | str, inputs: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """The outputs of ``model`` (a proto or a path) by name; skips the test when onnxruntime is absent."""
    ort = pytest.importorskip("onnxruntime", reason="onnxruntime, the oracle of this test, is not installed")
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    source = model if isinstance(model, str) else model.SerializeToString()
    session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(inputs)), strict=True))
