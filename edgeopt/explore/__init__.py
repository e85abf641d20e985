"""The Pareto front of a model: which accuracies, times, sizes, energies and RAM can be had together, and choosing among them."""
