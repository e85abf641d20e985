"""Techniques that replace a layer by several cheaper ones: separated, of low rank, grouped."""
