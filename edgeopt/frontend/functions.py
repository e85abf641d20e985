"""Inlines model-local functions, except those of own operators, which the import maps back to ``FusedConv`` and the like."""

from __future__ import annotations

from collections.abc import Set

import onnx.inliner
from onnx import ModelProto

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.detach import rewrite_detached
from edgeopt.ir import OWN_DOMAIN
from edgeopt.ops import OWN_OPS


def own_name(function: str) -> str:
    """The own operator that the function ``FusedConv_3`` stands for, or '' when it is none of ours."""
    stem, _, number = function.rpartition("_")
    return stem if number.isdigit() and stem in OWN_OPS else ""


def inline_functions(model: ModelProto, foreign: Set[str]) -> ModelProto:
    """``model`` with its functions inlined, those of own operators excepted unless named in ``foreign``.

    Raises EdgeoptError when a function cannot be inlined.
    """
    own = {f.name for f in model.functions if f.domain == OWN_DOMAIN and own_name(f.name)} - foreign
    if len(own) == len(model.functions):
        return model
    keep = [(OWN_DOMAIN, name) for name in sorted(own)]
    what = "the functions of the model cannot be inlined"
    if keep:
        result = rewrite_detached(model, lambda m: onnx.inliner.inline_selected_functions(m, keep, exclude=True), what)
    else:
        result = rewrite_detached(model, lambda m: onnx.inliner.inline_local_functions(m, True), what)
    left = sorted({f.name for f in result.functions} - own)
    if left:
        raise EdgeoptError(f"{what}: '{left[0]}' needs another opset than the model; export the model with one opset")
    return result
