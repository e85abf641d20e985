"""edgeopt: an optimizing compiler for neural networks that must run at the edge.

The library loads its parts on first use, so that ``import edgeopt`` stays cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeopt.compiler import compile
    from edgeopt.compression import compress
    from edgeopt.errors import EdgeoptError
    from edgeopt.evaluate.data import DataSet
    from edgeopt.examine.evaluation import eval
    from edgeopt.examine.explained import explain
    from edgeopt.examine.gains import gains
    from edgeopt.examine.inspection import inspect
    from edgeopt.examine.losses import why
    from edgeopt.examine.speed import bench
    from edgeopt.examine.verification import verify
    from edgeopt.explore.exploration import explore
    from edgeopt.explore.pack import load_pack
    from edgeopt.options import Debug, Options
    from edgeopt.runtime.artifact import load
    from edgeopt.runtime.model import CompiledModel
    from edgeopt.tuning import tune

__version__ = "0.1.0"
__all__ = [
    "CompiledModel",
    "DataSet",
    "Debug",
    "EdgeoptError",
    "Options",
    "bench",
    "compile",
    "compress",
    "eval",
    "explain",
    "explore",
    "gains",
    "inspect",
    "load",
    "load_pack",
    "tune",
    "verify",
    "why",
]

_HOMES = {
    "compile": "edgeopt.compiler",
    "compress": "edgeopt.compression",
    "load": "edgeopt.runtime.artifact",
    "load_pack": "edgeopt.explore.pack",
    "CompiledModel": "edgeopt.runtime.model",
    "DataSet": "edgeopt.evaluate.data",
    "Debug": "edgeopt.options",
    "EdgeoptError": "edgeopt.errors",
    "Options": "edgeopt.options",
    "bench": "edgeopt.examine.speed",
    "eval": "edgeopt.examine.evaluation",
    "explain": "edgeopt.examine.explained",
    "explore": "edgeopt.explore.exploration",
    "gains": "edgeopt.examine.gains",
    "inspect": "edgeopt.examine.inspection",
    "tune": "edgeopt.tuning",
    "verify": "edgeopt.examine.verification",
    "why": "edgeopt.examine.losses",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'edgeopt' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
