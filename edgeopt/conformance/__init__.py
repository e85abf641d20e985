"""Conformance to ONNX: the backend interface of its test suite, and what of it passes."""
