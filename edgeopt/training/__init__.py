"""Training of the layers of a network in the forms they will have: an interpreter of the graph in JAX, and what trains in it."""
