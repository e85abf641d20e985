"""Peers held to the instructions of a target without AVX-512, before they are loaded and in this process.

OpenVINO has a switch of its own, onnxruntime has none: it asks the processor. With ``every`` the processor's answer is changed
(``cpuid_mask.c``), which both believe; it takes an Intel processor and Linux, where ``cpuid`` can fault.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
from pathlib import Path

from edgeopt.errors import EdgeoptError
from edgeopt.target import Target

SWITCH = ("ONEDNN_MAX_CPU_ISA", "AVX2")
_SOURCE = Path(__file__).with_name("cpuid_mask.c")


def restrict(target: Target, every: bool) -> str:
    """Hold the peers to AVX2 where ``target`` has 32-byte vectors on x86; what was done, in words ('' for nothing).

    Raises EdgeoptError where ``cpuid`` cannot be masked.
    """
    if not target.triple.startswith("x86_64") or target.vector_bytes != 32:
        return ""
    os.environ[SWITCH[0]] = SWITCH[1]
    if not every:
        return f"OpenVINO restricted to AVX2 ({'='.join(SWITCH)}); onnxruntime as built"
    _mask()
    return "OpenVINO and onnxruntime restricted to AVX2 (cpuid tells of no AVX-512)"


def _mask() -> None:
    with tempfile.TemporaryDirectory(prefix="edgeopt-mask-") as folder:
        made = Path(folder) / "mask.so"
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", str(made), str(_SOURCE)], check=True)
        if ctypes.CDLL(str(made)).mask_avx512():
            raise EdgeoptError("cpuid cannot be masked here: this processor or its kernel does not let it fault")
