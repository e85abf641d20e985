"""The packages of the extra ``edgeopt[tvm]``: they are asked for, in the versions that work, before TVM is imported."""

from __future__ import annotations

from importlib import metadata

from edgeopt.errors import EdgeoptError

VERSIONS = {"apache-tvm": "0.27.0.post1", "apache-tvm-ffi": "0.1.14.post0"}  # with another ffi, builds end in a crash
_WAY_OUT = "pip install 'edgeopt[tvm]'"


def require_extra() -> None:
    """Raises EdgeoptError, with the way to install it, where the extra is not there or has other versions."""
    for package, version in VERSIONS.items():
        try:
            found = metadata.version(package)
        except metadata.PackageNotFoundError:
            raise EdgeoptError(f"the back end tvm needs {package}, which is not installed: {_WAY_OUT}") from None
        if found != version:
            raise EdgeoptError(f"the back end tvm needs {package} {version}, and {found} is installed: {_WAY_OUT}")
