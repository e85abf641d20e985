"""What a command does not need it does not import: the start of each, and of most compilations, would be twice as long."""

from __future__ import annotations

import subprocess
import sys


def _loaded(module: str, heavy: tuple[str, ...]) -> str:
    text = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=True).stdout.strip()


def test_the_command_line_imports_no_compiler() -> None:
    assert _loaded("edgeopt.cli.main", ("numpy", "onnx", "llvmlite", "edgeopt.ops", "edgeopt.target")) == "[]"


def test_the_compiler_imports_no_solvers() -> None:
    assert _loaded("edgeopt.compiler", ("scipy.optimize", "scipy.special", "scipy.linalg", "matplotlib")) == "[]"
