"""Weights as codewords of small codebooks, fitted to the responses of layers."""
