"""The packages of the extra ``edgeopt[tvm]``: they are asked for, in the versions that work, before TVM is imported."""

from __future__ import annotations

from importlib import import_module, metadata

from edgeopt.errors import EdgeoptError

VERSIONS = {"apache-tvm": "0.27.0.post1", "apache-tvm-ffi": "0.1.14.post0"}  # with another ffi, builds end in a crash
_WAY_OUT = "pip install 'edgeopt[tvm]'"
_AGAIN = f"install it again: pip install --force-reinstall {' '.join(f'{p}=={v}' for p, v in VERSIONS.items())}"


def require_extra() -> None:
    """Raises EdgeoptError, with the way to install it, where the extra is not there or has other versions."""
    for package, version in VERSIONS.items():
        try:
            found = metadata.version(package)
        except metadata.PackageNotFoundError:
            raise EdgeoptError(f"the back end tvm needs {package}, which is not installed: {_WAY_OUT}") from None
        if found != version:
            raise EdgeoptError(f"the back end tvm needs {package} {version}, and {found} is installed: {_WAY_OUT}")


def import_extra() -> None:
    """Raises EdgeoptError where TVM, in the right versions, cannot be imported all the same, with TVM's own reason."""
    require_extra()
    try:
        import_module("tvm")
    except Exception as error:  # a library that is missing or not for this machine, or whatever runs on the way
        reason = " ".join(str(error).split()) or "no reason given"
        raise EdgeoptError(f"the back end tvm cannot be imported, {type(error).__name__}: {reason}; {_AGAIN}") from error
