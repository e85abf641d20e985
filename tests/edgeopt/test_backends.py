"""The contract of back ends: whoever is handed to assembly makes all of the code, and the manifest says who it was."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from edgeopt.assembly import assemble
from edgeopt.codegen.backends import NUMBA, find_backend
from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load
from edgeopt.lower.program import Program
from edgeopt.runtime.object_code import code_of
from edgeopt.target import Target, target
from tests.edgeopt.small_models import convolution, feed


@dataclass
class Watched:
    """numba's back end, with a record of what it was asked for."""

    name: str = "watched"
    asked: list[tuple[str, bool]] = field(default_factory=list)

    def build(self, program: Program, target: Target, library: bool = False) -> bytes:
        self.asked.append((target.name, library))
        return NUMBA.build(program, target, library)

    def record(self, program: Program, target: Target) -> dict[str, Any]:
        return {"name": self.name, "steps": len(program.native)}


def test_assembly_asks_the_back_end_it_was_given_for_all_code() -> None:
    watched = Watched()
    made = assemble(load(convolution()), target("host"), library=True, backend=watched)
    assert watched.asked == [("host", True), ("host", False)]
    assert made.manifest["backend"] == {"name": "watched", "steps": len(made.manifest["kernels"])}
    usual = assemble(load(convolution()), target("host"))
    assert code_of(made.files) == code_of(usual.files)
    assert usual.manifest["backend"]["name"] == "numba"


def test_a_model_of_another_back_end_runs_as_any_other() -> None:
    proto = convolution()
    made = assemble(load(proto), target("host"), backend=Watched())
    for name, value in assemble(load(proto), target("host")).run(feed(proto)).items():
        np.testing.assert_array_equal(made.run(feed(proto))[name], value)


def test_an_unknown_back_end_is_named() -> None:
    assert find_backend("numba") is NUMBA
    with pytest.raises(EdgeoptError, match="unknown back end 'gcc'"):
        find_backend("gcc")
