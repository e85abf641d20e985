"""A core install never imports what training takes: jax and optax are imported in ``edgeopt/training`` alone, when that runs."""

from __future__ import annotations

import subprocess
import sys

from tests.edgeopt.test_layers import imports, inside, modules

EXTRA = ("jax", "jaxlib", "optax")
BLOCKED = """
import sys
for name in ("jax", "jaxlib", "optax"):
    sys.modules[name] = None  # whoever imports it fails

import edgeopt
from edgeopt.cli.main import main
import edgeopt.compiler, edgeopt.options, edgeopt.tuning, edgeopt.search.run, edgeopt.examine, edgeopt.serve, edgeopt.partition

try:
    edgeopt.tune("examples/digits.onnx", "examples/digits.cal.npz")
except edgeopt.EdgeoptError as error:
    print(error)
print(sorted(name for name in sys.modules if name.startswith("edgeopt.training")))
"""


def test_the_extra_is_imported_by_training_alone() -> None:
    users = {m for m, path in modules() for name in imports(path.read_text()) if any(inside(name, part) for part in EXTRA)}
    assert users and all(inside(name, "edgeopt.training") for name in users)


def test_without_the_extra_all_else_works_and_training_says_what_is_missing() -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True, timeout=60, check=True)
    message, loaded = done.stdout.splitlines()
    assert message == "training needs jax and optax: pip install 'edgeopt[tune]'"
    assert loaded == "['edgeopt.training', 'edgeopt.training.extra']"
