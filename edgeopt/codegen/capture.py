"""From a kernel function to LLVM IR that no optimisation has touched, so that it can be compiled for any target.

numba lowers the function with a code library whose optimisation and finalisation do nothing; the text of its module is the
result. Raw pointers and numpy's error model keep the runtime library and Python symbols out of it.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from numba.core import codegen, cpu
from numba.core.compiler import Flags, compile_extra
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.core.types import Dispatcher, void
from numba.core.types.abstract import Type
from numba.core.types.containers import BaseTuple

from edgeopt.codegen.open_numbers import OutlineCompiler
from edgeopt.codegen.parts import FAST_MATH
from edgeopt.errors import EdgeoptError

if logging.getLogger("numba").level == logging.NOTSET:  # the thousands of lines on a kernel say nothing to an application
    logging.getLogger("numba").setLevel(logging.WARNING)


class _Library(codegen.JITCodeLibrary):
    def _optimize_functions(self, module: Any) -> None:
        pass

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True


class _Codegen(codegen.JITCPUCodegen):
    _library_class = _Library


class _Context(cpu.CPUContext):
    def init(self) -> None:
        super().init()
        self._internal_codegen = _Codegen("edgeopt")

    def get_function(self, fn: Any, sig: Any, _firstcall: bool = True) -> Any:
        """As numba's, but a function that numba would compile for the host by itself is compiled here, unoptimised."""
        try:
            return super().get_function(fn, sig, _firstcall)
        except NotImplementedError:
            source = _python_source(fn, sig.args)
            if source is None:
                raise
            return lambda builder, args, loc=None: self.compile_internal(builder, source, sig, args)


def _python_source(fn: Any, arguments: tuple[Type, ...]) -> Callable[..., Any] | None:
    """The Python function behind a jitted function or an overload (``max``, ``min``, ...)."""
    if isinstance(fn, Dispatcher):
        return fn.dispatcher.py_func  # type: ignore[no-any-return]
    # an implementation with *args takes one tuple
    wanted = tuple(arguments[0]) if len(arguments) == 1 and isinstance(arguments[0], BaseTuple) else tuple(arguments)
    for template in getattr(fn, "templates", ()):
        for _, (dispatcher, actual) in getattr(template, "_impl_cache", {}).items():
            if dispatcher is not None and tuple(actual) == wanted:
                return dispatcher.py_func  # type: ignore[no-any-return]
    return None


@cache
def _context() -> _Context:
    context = _Context(cpu_target.typing_context, "cpu")
    context.refresh()
    return context


def _flags(exact: bool) -> Flags:
    flags = Flags()
    flags.no_cpython_wrapper = True
    flags.no_cfunc_wrapper = True
    flags.no_compile = True
    flags.error_model = "numpy"
    flags.fastmath = False if exact else FAST_MATH
    return flags


def capture(function: Callable[..., None], signature: tuple[Type, ...], name: str, numbers: int = 0, exact: bool = False) -> str:
    """The unoptimised LLVM IR of ``function`` for arguments of types ``signature``, as an internal function ``name``.

    The ``numbers`` that its outline leaves open follow as arguments; its parts are declared as ``part_N``. An ``exact`` one
    rounds after every operation, in the order it is written. The text holds neither triple nor data layout.
    Raises EdgeoptError when the function needs Python or numba's runtime.
    """
    with global_compiler_lock:
        cpu_target.typing_context.refresh()
        result = compile_extra(
            cpu_target.typing_context, _context(), function, signature, void, _flags(exact), {}, pipeline_class=OutlineCompiler
        )
        if not result.library._finalized:
            result.library.finalize()  # links the functions that the kernel calls
        text = str(result.library._final_module)
    return _clean(text, result.fndesc.mangled_name, name, numbers)


def _clean(text: str, mangled: str, name: str, numbers: int) -> str:
    lines = [line for line in text.split("\n") if not line.startswith(("target ", "source_filename", "; ModuleID"))]
    text = "\n".join(lines).replace(mangled, name).replace(f'"{name}"', name)
    text = re.sub(r"^@numba\.dynamic\.globals\.[0-9a-f]+ = .*$", "", text, flags=re.M)
    text = re.sub(r"^@_ZN08NumbaEnv.*$", "", text, flags=re.M)
    text = re.sub(r"load ptr, ptr @numba\.dynamic\.globals\.[0-9a-f]+, align 8", "select i1 true, ptr null, ptr null", text)
    text = re.sub(r"call i64 @number_(\d+)\(\)", r"add i64 0, %number.\1", text).replace("captures(none)", "")
    head = re.search(rf"^define i32 @{name}\((.*?)\)(.*)\{{$", text, flags=re.M)
    if head is None:
        raise EdgeoptError(f"kernel '{name}': numba made no function of it")
    arguments = ", ".join([head[1].replace("ptr %arg", "ptr noalias %arg"), *(f"i64 %number.{i}" for i in range(numbers))])
    text = text.replace(head[0], f"define i32 @{name}({arguments}) alwaysinline {{")
    for symbol in re.findall(r"@(NRT_\w+|Py\w+|numba_unpickle)", text):
        if re.search(rf"call [^\n]*@{symbol}\b", text):
            raise EdgeoptError(f"kernel '{name}' calls '{symbol}', which does not exist outside Python")
    return text


def digest(*parts: object) -> str:
    """A content hash, for names of kernels and of cached objects."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
