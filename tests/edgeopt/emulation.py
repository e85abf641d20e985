"""What the tests of C libraries share: which tools are here, the digits network for a target, and a C program built on it."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import edgeopt
from edgeopt.codegen.toolchain import compiler
from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.runtime.emulate import emulator
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.reading import WEIGHTS
from edgeopt.target import target
from tests.edgeopt.command_line import DIGITS, EVALUATION

STRICT = ["-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]


@cache
def digits(name: str) -> CompiledModel:
    """The digits network as a C library for a target."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return edgeopt.compile(DIGITS, level=1, target=name, options=edgeopt.Options(emit="c-library"))


def image() -> Array:
    """One image of a digit."""
    return np.ascontiguousarray(np.load(EVALUATION)["image"][:1])


def needs(name: str) -> list[str]:
    """The command in front of programs of target ``name``; skips the test when no compiler or emulator for it is installed."""
    facts = target(name)
    if compiler(facts) is None:
        pytest.skip(f"no C compiler for {facts.triple} is installed")
    try:
        return emulator(facts)
    except EdgeoptError as error:
        pytest.skip(str(error))


def needs_tool(name: str) -> str:
    """The path of a program; skips the test when it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def unpack(model: CompiledModel, folder: Path) -> Path:
    """The C library of ``model`` as files in ``folder``."""
    for name in ("libmodel.a", "model.h", "example.c", "Makefile", WEIGHTS):
        (folder / name).write_bytes(model.files[name])
    return folder


def build(name: str, folder: Path, *arguments: str) -> Path:
    """A program of target ``name``, built in ``folder`` with every warning an error."""
    command = [*(compiler(target(name)) or []), *STRICT, "-o", "program", *arguments, "-lm"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stderr
    return folder / "program"


def execute(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in ``folder``; its exit code and words."""
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
