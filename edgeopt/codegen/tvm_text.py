"""From a PrimFunc to LLVM IR: TVM's lowering and its code generator, and a function that is called as numba's kernels are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import tvm
from tvm import tirx

from edgeopt.target import Target

_DROPPED = ("target ", "source_filename", "; ", "!", "attributes #", "@llvm.global_ctors", "    #dbg_")
_DEFINED = re.compile(r"^define [^@\n]*void @kernel\((.*)\)[^){\n]*\{$", re.MULTILINE)


def kernel_text(function: Any, dtypes: Sequence[str], target: Target, name: str) -> str:
    """The PrimFunc ``function`` of pointers and two int64 as LLVM IR, optimised by TVM for ``target``, called ``name``."""
    mod = tvm.IRModule({"kernel": function.with_attr("target", _target(target))})
    module = tvm.get_global_func("target.build.llvm")(_lowering()(mod), _target(target))
    return _called(_bare(module.inspect_source("ll")), len(dtypes), name)


@cache
def _lowering() -> Any:
    """What the code generator asks for; kernels are written with vectors, and unrolled, already."""
    passes = tirx.transform
    return tvm.ir.transform.Sequential([passes.StmtSimplify(), passes.FlattenBuffer(), passes.LowerIntrin()])


@cache
def _target(target: Target) -> Any:
    return tvm.target.Target(
        {"kind": "llvm", "mtriple": target.triple, "mcpu": target.cpu, "mattr": [f for f in target.features.split(",") if f]}
    )


def _bare(text: str) -> str:
    """``text`` without what says where it was made: target, attributes, debugging, addresses of TVM's types."""
    lines = [line for line in text.split("\n") if not line.startswith(_DROPPED)]
    return re.sub(r"(,? ![\w.]+ !\d+)+| #\d+(?=[\s{]|$)", "", "\n".join(lines), flags=re.MULTILINE)


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
