"""The operators: those of ``ai.edgeopt`` with their meaning, and evaluation and type inference of every node."""

from edgeopt.ops.bounded import evaluate, result_bytes
from edgeopt.ops.inference import infer, infer_types
from edgeopt.ops.table import OWN_OPS

__all__ = ["OWN_OPS", "evaluate", "infer", "infer_types", "result_bytes"]
