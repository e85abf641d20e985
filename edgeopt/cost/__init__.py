"""What a model costs on a target before it runs there: cycles, energy, RAM and flash per layer."""

from edgeopt.cost.estimate import Estimate, LayerCost, estimate

__all__ = ["Estimate", "LayerCost", "estimate"]
