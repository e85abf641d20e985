"""Entropy coding of weights: lossless, checksummed, as small as the statistics of a tensor allow.

``encode(array)`` gives bytes that ``decode`` turns into the same array; ``coded_size(array)`` is their number. Tensors of few
distinct values cost their entropy (a codebook of 16 values at most 4 bits a weight), sparse ones their gaps and what is left,
floats save what their exponents repeat; the rest is stored as it is.
"""

from edgeopt.coding.container import coded_size, decode, encode

__all__ = ["coded_size", "decode", "encode"]
