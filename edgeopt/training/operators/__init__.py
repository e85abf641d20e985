"""What the operators of a float graph compute, in JAX: differentiable, one call at a time."""
