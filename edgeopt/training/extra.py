"""The packages of the extra ``edgeopt[tune]``: they are asked for before anything that imports them is."""

from __future__ import annotations

import os
from importlib import util

from edgeopt.errors import EdgeoptError

PACKAGES = ("jax", "optax")
SETTINGS = {"JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "2"}  # read by JAX when it is imported


def require_extra() -> None:
    """Make the extra ready to be imported. Raises EdgeoptError, with the way to install it, when it is not there."""
    missing = [name for name in PACKAGES if util.find_spec(name) is None]
    if missing:
        raise EdgeoptError(f"training needs {' and '.join(missing)}: pip install 'edgeopt[tune]'")
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
