"""Compiled models over HTTP by the Open Inference Protocol (version 2), with tensors as binary data; server and client."""
