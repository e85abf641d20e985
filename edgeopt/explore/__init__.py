"""The Pareto front of a model: which accuracies, times, sizes, energies and RAM can be had together, and choosing among them.

The package is called, too: ``edgeopt.explore(...)`` is ``edgeopt.explore.exploration.explore``, also once a module of the package
was imported, which puts the package in the place of the function.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Called(ModuleType):
    def __call__(self, *arguments: Any, **named: Any) -> Any:
        from edgeopt.explore.exploration import explore

        return explore(*arguments, **named)


sys.modules[__name__].__class__ = _Called
