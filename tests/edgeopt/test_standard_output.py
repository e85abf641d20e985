"""What a native library prints does not come between results on standard output."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import ctypes, sys
from edgeopt.standard_output import kept_clean
print("before", flush=True)
with kept_clean():
    ctypes.CDLL(None).puts(b"of a library")
print("after")
"""


def test_lines_of_libraries_go_to_standard_error() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout == "before\nafter\n" and done.stderr == "of a library\n"


def test_a_closed_output_is_no_failure() -> None:
    done = subprocess.run(["sh", "-c", f"{sys.executable} -c '{CLOSED}' >&-"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stderr == "done\n"


CLOSED = """
import sys
from edgeopt.standard_output import kept_clean
with kept_clean():
    pass
print("done", file=sys.stderr)
"""
