"""How often each basic block of each step runs: the program's own IR, with counters, once on zeros in this process.

Nothing of the target is executed: its IR is compiled for the host. Control flow of kernels depends on shapes, not on data.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import llvmlite.binding as llvm
import numpy as np

from edgeopt.codegen.build import link_single
from edgeopt.codegen.driver import sample_bytes
from edgeopt.codegen.optimise import target_machine
from edgeopt.cost.blocks import COUNTERS, instrumented
from edgeopt.ir import Array
from edgeopt.lower.memory import aligned_bytes
from edgeopt.lower.program import Place, Program
from edgeopt.target import Target, host


@dataclass(frozen=True, eq=False)
class Census:
    """``mixes`` [blocks, classes] and ``recurrences`` [blocks] describe the blocks, ``counts`` [steps, blocks] their runs."""

    mixes: Array
    recurrences: Array
    counts: Array

    @property
    def totals(self) -> Array:
        """Executed instructions of each class for each step [steps, classes]."""
        return np.asarray(self.counts @ self.mixes)


def census(program: Program, target: Target) -> Census:
    """Count the instructions of every native step of ``program``."""
    text, blocks = instrumented(str(link_single(program, target)), target)
    engine = _engine(text)
    address = engine.get_global_value_address(COUNTERS)
    counters = np.ctypeslib.as_array((ctypes.c_int64 * max(1, len(blocks))).from_address(address))
    memory = _Memory(program)
    counts = np.zeros((len(program.native), len(counters)), np.int64)
    for index, step in enumerate(program.native):
        counters[:] = 0
        pointers = [memory.address(place) for place in step.places]
        function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(pointers))
        function(engine.get_function_address(f"single_{index}"))(*pointers)
        counts[index] = counters
    return Census(np.array([b.mix for b in blocks]), np.array([b.recurrence for b in blocks]), counts)


def _engine(text: str) -> llvm.ExecutionEngine:
    llvm.load_library_permanently("libm.so.6")
    machine = target_machine(host())
    head = f'target datalayout = "{machine.target_data}"\ntarget triple = "{machine.triple}"\n'
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(head + text), machine)
    engine.finalize_object()
    return engine


class _Memory:
    """The blocks a program works on: inputs of zeros, the real weights."""

    def __init__(self, program: Program) -> None:
        self._blocks = {
            "arena": aligned_bytes(program.arena_bytes),
            "weights": aligned_bytes(program.weights_bytes),
            "scratch": aligned_bytes(program.scratch_bytes),
        }
        self._tensors = {
            "input": [aligned_bytes(sample_bytes(b)) for b in program.inputs],
            "output": [aligned_bytes(sample_bytes(b)) for b in program.outputs],
        }
        ctypes.memmove(self._blocks["weights"][1], bytes(program.weights), program.weights_bytes)

    def address(self, place: Place) -> int:
        """Where an operand lies."""
        if place.kind in self._tensors:
            return self._tensors[place.kind][place.offset][1]
        return self._blocks[place.kind][1] + place.offset
