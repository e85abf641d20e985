"""Which back end makes the code that the tests of kernels run: numba, or what EDGEOPT_TEST_BACKEND names."""

from __future__ import annotations

import os

from edgeopt.codegen.backends import find_backend
from edgeopt.lower.program import Program
from edgeopt.target import Target


def build(program: Program, target: Target) -> bytes:
    """The object of ``program``, by the back end under test."""
    return find_backend(os.environ.get("EDGEOPT_TEST_BACKEND", "numba")).build(program, target)
