"""Numbers that a kernel's outline leaves open, as numba sees them: calls of unknown functions ``number_N``."""

from __future__ import annotations

from functools import cache
from typing import Any

import numba
from llvmlite import ir as llvm_ir
from numba.core import ir
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import FunctionPass, PassManager, register_pass
from numba.core.ir_utils import build_definitions
from numba.core.untyped_passes import InlineInlinables
from numba.extending import intrinsic

from edgeopt.codegen.outline import Number
from edgeopt.kernels.emit.emitter import declared


@cache
def _function(index: int) -> Any:
    def number(context: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = llvm_ir.FunctionType(llvm_ir.IntType(64), [])
            return builder.call(declared(builder.module, f"number_{index}", kind), [])

        return numba.types.int64(), generate

    return intrinsic(number)


@register_pass(mutates_CFG=False, analysis_only=False)
class _CallNumbers(FunctionPass):
    """Makes a call of every variable that a closure binds to a ``Number``, in functions that were inlined too."""

    _name = "edgeopt_call_numbers"

    def __init__(self) -> None:
        FunctionPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        blocks = state.func_ir.blocks.values()
        for block in blocks:
            block.body = [made for statement in block.body for made in _called(statement, block.scope)]
        state.typingctx.refresh()  # learns of the functions
        state.func_ir._definitions = build_definitions(state.func_ir.blocks)
        return True


def _called(statement: Any, scope: Any) -> list[Any]:
    value = statement.value if isinstance(statement, ir.Assign) else None
    if not isinstance(value, ir.FreeVar) or not isinstance(value.value, Number):
        return [statement]
    function = scope.redefine("$number", loc=statement.loc)
    known = ir.Global(f"number_{value.value.index}", _function(value.value.index), statement.loc)
    call = ir.Expr.call(function, (), (), statement.loc)
    return [ir.Assign(known, function, statement.loc), ir.Assign(call, statement.target, statement.loc)]


class OutlineCompiler(CompilerBase):
    """numba's compiler for functions with open numbers."""

    def define_pipelines(self) -> list[PassManager]:
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.add_pass_after(_CallNumbers, InlineInlinables)
        passes.finalize()
        return [passes]
