"""Pruning: weights that are zero, in patterns that kernels or an entropy coder make use of."""
