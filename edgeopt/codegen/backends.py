"""The contract of back ends: what each is given and what it has to make of it. Nothing above code generation knows which it is.

A back end is given a ``Program`` and a Target. Of the program it may rely on this:

* ``program.native`` are the steps in order. A step's call is made with the addresses of its ``places``, whose element types are
  ``dtypes`` and whose sizes in bytes are ``sizes``, and with a half-open range of its ``call.chunks`` chunks. What chunks write
  does not overlap; they may run in any order and at the same time. What lies in ``scratch`` belongs to the thread.
* After a step comes the next one, or where its ``jump`` leads. ``program.blocks`` are the runs between jumps and their goals.
* What a call computes is ``call.function``, a function of numba's language (``edgeopt.kernels.call``). Where
  ``edgeopt.kernels.stated`` knows a form of it, that says the same in numbers: where each operand is read and written, in which
  order sums are made, and what is done to them, so that code can be written without the function.
* Steps that run on the host (``program.fallbacks``) are no concern of a back end.

It returns an object file that defines ``NAME_run``, ``NAME_steps``, ``NAME_step``, ``NAME_samples``, ``NAME_parallel``,
``NAME_worker`` and ``NAME_layout``, or for a library ``NAME_run``, ``NAME_init`` and its two sizes (``edgeopt.codegen.entry``).
The code allocates nothing, keeps no state and needs no other library than C's. Integers are the same from every back end, to
the last bit; floats agree within 1e-4 of the largest value.
"""

from __future__ import annotations

from typing import Any, Protocol

import numba

from edgeopt.codegen.build import build
from edgeopt.codegen.tvm_extra import import_extra
from edgeopt.errors import EdgeoptError
from edgeopt.lower.program import Program
from edgeopt.target import Target

NAMES = ("numba", "tvm")


class Backend(Protocol):
    """A code generator of programs. Its ``name`` is what the command line and the manifest call it."""

    @property
    def name(self) -> str:
        """One of ``NAMES``."""

    def build(self, program: Program, target: Target, library: bool = False) -> bytes:
        """The object file of ``program`` for ``target``, from the cache where the same was built before."""

    def record(self, program: Program, target: Target) -> dict[str, Any]:
        """What the manifest says of it: its name and version, how many of the ``steps`` are its ``own``, how many of these are

        ``translated`` from kernel functions, and the ``rest``: kernels that are numba's all the same, with their steps.
        """


class NumbaBackend:
    """LLVM IR captured from numba, optimised and emitted by LLVM."""

    name = "numba"

    def build(self, program: Program, target: Target, library: bool = False) -> bytes:
        """See ``edgeopt.codegen.build.build``."""
        return build(program, target, library)

    def record(self, program: Program, target: Target) -> dict[str, Any]:
        """All steps are numba's."""
        count = len(program.native)
        return {"name": self.name, "version": numba.__version__, "steps": count, "own": count, "translated": 0, "rest": {}}


NUMBA: Backend = NumbaBackend()


def find_backend(name: str) -> Backend:
    """The back end of that name. Raises EdgeoptError for an unknown one and for one that cannot be imported."""
    if name == NUMBA.name:
        return NUMBA
    if name == "tvm":
        import_extra()
        from edgeopt.codegen.tvm_backend import BACKEND

        return BACKEND
    raise EdgeoptError(f"unknown back end '{name}'; there are {', '.join(NAMES)}")
