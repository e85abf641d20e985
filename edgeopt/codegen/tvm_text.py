"""From a PrimFunc to LLVM IR: TVM's lowering and its code generator, and a function that is called as numba's kernels are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import tvm
from tvm import tirx

from edgeopt.codegen.parts import FAST_MATH
from edgeopt.codegen.tvm_spelling import spelled_out
from edgeopt.kernels.call import Declined
from edgeopt.target import Target

_WIDTHS = ("x86_64", "aarch64", "arm")  # of their vectors TVM knows; of others it takes this many bits, and warns of it each time
_UNKNOWN_WIDTH = 128
_DROPPED = ("target ", "source_filename", "; ", "!", "attributes #", "@", "    #dbg_")
_DEFINED = re.compile(r"^define [^@\n]*void @kernel\((.*)\)[^){\n]*\{$", re.MULTILINE)
_FUNCTION = re.compile(r"^define [^@\n]*@kernel\(.*?^\}$", re.MULTILINE | re.DOTALL)


def kernel_text(function: Any, dtypes: Sequence[str], target: Target, name: str) -> str:
    """The PrimFunc ``function`` of pointers and two int64 as LLVM IR for ``target``, called ``name``.

    TVM's LLVM leaves it as the code generator makes it: it would unroll what is marked only afterwards.
    """
    return spelled_out(_generated(_lowering()(_module(function, _target(target))), _target(target), len(dtypes), name))


def translated_text(function: Any, dtypes: Sequence[str], target: Target, name: str) -> str:
    """The same of a function that was written from a kernel's own, with that arithmetic

    which captured kernels have, and what TIR does not say spelled out. Raises Declined for what TVM does not take.
    """
    how = _target(target, plain=True)
    try:
        text = _generated(_module(function, how), how, len(dtypes), name)
    except tvm.error.InternalError as error:
        raise Declined(f"TVM: {str(error).splitlines()[-1]}") from None
    return spelled_out(text)


def _module(function: Any, target: Any) -> Any:
    return tvm.IRModule({"kernel": function.with_attr("target", target)})


def _generated(mod: Any, target: Any, pointers: int, name: str) -> str:
    module = tvm.get_global_func("target.build.llvm")(mod, target)
    return _called(_bare(module.inspect_source("ll")), pointers, name)


@cache
def _lowering() -> Any:
    """What the code generator asks for; kernels are written with vectors, unrolled, and with flat buffers already.

    FlattenBuffer would make sums of the indices of local vectors, which the code generator then takes apart into their lanes.
    """
    passes = tirx.transform
    return tvm.ir.transform.Sequential([passes.StmtSimplify(), passes.LowerIntrin()])


@cache
def _target(target: Target, plain: bool = False) -> Any:
    features = [f for f in target.features.split(",") if f]
    options = {"kind": "llvm", "mtriple": target.triple, "mcpu": target.cpu, "mattr": features, "opt-level": 0}
    if not target.triple.startswith(_WIDTHS):
        options["vector-width"] = _UNKNOWN_WIDTH
    if plain:
        options |= {f"fast-math-{flag}": True for flag in sorted(FAST_MATH)}
    return tvm.target.Target(options)


def _bare(text: str) -> str:
    """The function alone, and what it declares, without what says where it was made: target, attributes, debugging."""
    lines = [line for line in text.split("\n") if not line.startswith(_DROPPED)]
    text = re.sub(r"(,? ![\w.]+ !\d+)+| #\d+(?=[\s{]|$)", "", "\n".join(lines), flags=re.MULTILINE)
    found = _FUNCTION.search(text)
    assert found is not None, text
    return "\n".join([*(line for line in text.split("\n") if line.startswith("declare ")), found[0]])


def _called(text: str, pointers: int, name: str) -> str:
    """``text`` behind the convention of kernels: two pointers that are not used come first, and 0 is returned."""
    head = _DEFINED.search(text)
    assert head is not None, text
    text = text.replace(head[0], f"define internal void @{name}_tir({head[1]}) alwaysinline {{")
    given = ", ".join([*(f"ptr %p{i}" for i in range(pointers)), "i64 %begin", "i64 %end"])
    formal = given.replace("ptr %p", "ptr noalias %p")
    return f"""{text}
define i32 @{name}(ptr %result, ptr %error, {formal}) alwaysinline {{
  call void @{name}_tir({given})
  ret i32 0
}}
"""
