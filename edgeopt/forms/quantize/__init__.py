"""Quantization: weights and activations on integer grids, calibrated, repaired and judged."""
