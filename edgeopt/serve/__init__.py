"""Compiled models by the Open Inference Protocol (version 2), over HTTP with binary tensors and over gRPC."""
