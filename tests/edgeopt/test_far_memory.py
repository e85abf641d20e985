"""A model runs in a process whose memory leaves no room for its code and its constants in one place."""

import subprocess
import sys

import numpy as np
import pytest
from onnx import ModelProto, helper

import edgeopt
from edgeopt.codegen.elf import Elf
from edgeopt.runtime.object_code import code_of
from tests.edgeopt import small_models

PROGRAM = """
import ctypes
import numpy as np
import edgeopt
from tests.edgeopt.test_far_memory import MODELS

model = edgeopt.compile(MODELS[{name!r}]())
page, libc = 4096, ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]

def reserved(size):  # address space alone: private, anonymous, without memory
    return libc.mmap(None, size, 0, 0x4022, -1, 0)

hole = reserved(3 * page)
far = reserved(4 << 30)
assert far != ctypes.c_void_p(-1).value, "no address space"
for size in [4096 << 2 * k for k in reversed(range(10))]:  # all that is free above
    while True:
        place = reserved(size)
        if place < far:
            libc.munmap(place, size)
            break
libc.munmap(hole + page, page)  # room for one section, and none for the next one near it
shape = model.inputs[0].shape
print(float(next(iter(model.run({{"x": np.ones(shape, np.float32)}}).values())).sum()))
"""


def joined() -> ModelProto:
    """Its kernel calls a function of the C library, whose address LLVM keeps beside the code."""
    node = helper.make_node("Concat", ["x", "x"], ["y"], axis=1)
    values = [small_models.info(name, [1, size, 32, 32]) for name, size in (("x", 4), ("y", 8))]
    return small_models.model([node], values[:1], values[1:], [])


MODELS = {"convolution": small_models.convolution, "joined": joined}


@pytest.mark.skipif(sys.platform != "linux", reason="maps memory as Linux does")
@pytest.mark.parametrize("name", MODELS)
def test_code_and_constants_lie_together(name: str) -> None:
    """LLVM ended the process: an instruction reaches two gigabytes, and JAX, Ray and others map as much between two sections."""
    command = [sys.executable, "-c", PROGRAM.format(name=name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if "no address space" in done.stderr:
        pytest.skip("this system gives no address space without memory behind it")
    assert done.returncode == 0, done.stderr[-500:]
    assert np.isfinite(float(done.stdout))


def test_code_that_calls_the_c_library() -> None:
    model = edgeopt.compile(joined())
    code = code_of(model.files)
    assert code is not None and "memcpy" in Elf(code).undefined()
    x = np.random.default_rng(0).normal(size=(1, 4, 32, 32)).astype(np.float32)
    np.testing.assert_array_equal(model.run({"x": x})["y"], np.concatenate([x, x], axis=1))
