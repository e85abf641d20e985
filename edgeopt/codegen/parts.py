"""Functions of the vector emitter as LLVM IR of their own, written without numba.

A captured kernel calls part N by a name that says of which types its operands are: ``part_N`` and a word for each, with ``p`` for
every pointer in front of what it points to. Types of LLVM's text alone would not do, since all its pointers are one type.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import fastmathpass
from numba.core.cpu_options import FastMathOptions

from edgeopt.kernels.emit.vector_function import VectorFunction

FAST_MATH = {"contract", "reassoc", "nsz"}

_UNKNOWN = re.compile(r"@part_(\d+)((?:\.\w+)*)")
_KINDS = {str(kind): kind for kind in (ir.FloatType(), ir.DoubleType(), *map(ir.IntType, (1, 8, 16, 32, 64)))}


def unknown_name(index: int, kinds: Sequence[Any]) -> str:
    """What part ``index`` of a kernel is called where its operands are of these types of llvmlite."""
    return ".".join([f"part_{index}", *map(_word, kinds)])


def _word(kind: Any) -> str:
    return f"p{_word(kind.pointee)}" if isinstance(kind, ir.PointerType) else str(kind)


def _kind(word: str) -> Any:
    return _kind(word[1:]).as_pointer() if word.startswith("p") else _KINDS[word]


def unknown_parts(text: str) -> dict[str, tuple[int, list[Any]]]:
    """The parts that captured ``text`` calls, by name: their index and the types of their operands."""
    return {m[0][1:]: (int(m[1]), [_kind(word) for word in m[2].split(".")[1:]]) for m in _UNKNOWN.finditer(text)}


def part_text(part: VectorFunction, kinds: Sequence[Any], name: str) -> str:
    """``part`` as a function ``name`` of operands of these types, with the arithmetic that captured kernels have."""
    module = ir.Module(name)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
    function.attributes.add("alwaysinline")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    part.write(builder, *function.args)
    builder.ret_void()
    fastmathpass.rewrite_module(module, FastMathOptions(FAST_MATH))
    return "\n".join(
        line for line in str(module).split("\n") if not line.startswith(("target ", "source_filename", "; ModuleID"))
    )
