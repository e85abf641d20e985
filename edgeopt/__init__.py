"""edgeopt: an optimizing compiler for neural networks that must run at the edge."""
