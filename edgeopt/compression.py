"""``edgeopt.compress``: prune, share and code the weights of a network within a budget, as a recipe says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from onnx import ModelProto

from edgeopt import arguments
from edgeopt.compiler import compile as compile_model
from edgeopt.ir import Graph
from edgeopt.options import Options
from edgeopt.runtime.model import CompiledModel
from edgeopt.search.recipe import read_recipe
from edgeopt.search.samples import Data
from edgeopt.target import Target

DEFAULT = "deep-compression"


@arguments.known_keywords()
def compress(
    model: str | Path | ModelProto | Graph,
    recipe: str | Path = DEFAULT,
    *,
    data: Data | None = None,
    calibration: Data | None = None,
    max_drop: float = 1.0,
    level: int = 1,
    target: str | Target = "host",
    shapes: Mapping[str, Sequence[int]] | None = None,
    onnx: bool = True,
    accept_chance: bool = False,
    backend: str = "numba",
) -> CompiledModel:
    """Compile ``model`` with weights made small by ``recipe``: the name of one that is shipped, or a TOML file.

    Layers start in the first form that the recipe has for them and go back to later ones until no more than ``max_drop``
    percentage points are lost on ``data``. Without data the last forms are taken, and nothing is verified. What every layer
    takes stands in ``manifest["compression"]``. Without ``onnx`` the optimized model is left out of the artifact, and with it
    every weight that kernels read in another form. ``accept_chance`` goes on although the float model is right on the data no
    more often than guessing is. ``backend`` makes the code, as in ``edgeopt.Options``. Raises EdgeoptError for a recipe that is
    not there or says something odd, and whatever ``edgeopt.compile`` raises.
    """
    read_recipe(recipe)  # before the work, not after it
    options = Options(recipe=recipe, onnx=onnx, accept_chance=accept_chance, backend=backend)
    return compile_model(
        model, level, target, shapes=shapes, data=data, calibration=calibration, max_drop=max_drop, options=options
    )
