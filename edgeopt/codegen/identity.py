"""What a kernel function is: a hash of everything that is baked into it.

A factory bakes values into the functions it makes: extents, a target, further functions. Two functions may share their code only
when all of that is equal, so the hash follows it: bytecode, defaults and closures, through functions, numba intrinsics and data
to the last number. What stands in the source of a module is covered by ``edgeopt.codegen.build.sources``.
"""

from __future__ import annotations

import functools
import hashlib
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from llvmlite import ir
from numba.core.dispatcher import Dispatcher
from numba.core.types.abstract import Type
from numba.extending import _Intrinsic as Intrinsic

from edgeopt.errors import EdgeoptError

_KNOWN: WeakKeyDictionary[Callable[..., Any], str] = WeakKeyDictionary()


def identity(function: Callable[..., Any]) -> str:
    """A hash of ``function`` with everything it closes over; equal for functions that become the same code.

    Raises EdgeoptError for a function that closes over a value whose content cannot be known.
    """
    if function not in _KNOWN:
        _KNOWN[function] = hashlib.sha256(repr(_content(function, ())).encode()).hexdigest()
    return _KNOWN[function]


def _content(value: Any, above: tuple[int, ...]) -> object:
    """``value`` as nested tuples of texts; ``above`` holds what it lies in, which may be itself (a recursive function)."""
    if id(value) in above:
        return "above", above.index(id(value))
    above = (*above, id(value))
    for kinds, describe in _DESCRIPTIONS:
        if isinstance(value, kinds):
            return type(value).__name__, describe(value, above)
    if is_dataclass(value):
        return _name(type(value)), [(f.name, _content(getattr(value, f.name), above)) for f in fields(value)]
    raise EdgeoptError(f"a kernel closes over {value!r}, a {type(value).__name__} whose content is unknown to its cache")


def _name(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def _all(values: Any, above: tuple[int, ...]) -> object:
    return [_content(value, above) for value in values]


def _function(value: types.FunctionType, above: tuple[int, ...]) -> object:
    cells = [cell.cell_contents for cell in value.__closure__ or ()]
    kept = (value.__code__, value.__defaults__, value.__kwdefaults__, *cells)
    return _name(value), _all(kept, above)


def _code(value: types.CodeType, above: tuple[int, ...]) -> object:
    names = (value.co_names, value.co_freevars, value.co_cellvars, value.co_argcount, value.co_flags)
    return value.co_code, names, _all(value.co_consts, above)


def _array(value: np.ndarray[Any, Any], above: tuple[int, ...]) -> object:
    return value.dtype.str, value.shape, hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()


def _unordered(value: Any, above: tuple[int, ...]) -> object:
    return sorted(repr(_content(item, above)) for item in value)


_Description = Callable[[Any, tuple[int, ...]], object]
_DESCRIPTIONS: tuple[tuple[tuple[type, ...], _Description], ...] = (
    ((Enum,), lambda value, above: (_name(type(value)), value.name)),
    ((bool, int, float, complex, str, bytes, types.NoneType, types.EllipsisType), lambda value, above: repr(value)),
    ((np.generic, np.dtype), lambda value, above: (str(np.asarray(value).dtype), repr(value))),
    ((tuple, list), _all),
    ((set, frozenset), _unordered),
    ((Mapping,), lambda value, above: _unordered(value.items(), above)),
    ((np.ndarray,), _array),
    ((types.FunctionType,), _function),
    ((types.CodeType,), _code),
    ((types.MethodType,), lambda value, above: _all((value.__func__, value.__self__), above)),
    ((functools.partial,), lambda value, above: _all((value.func, value.args, value.keywords), above)),
    ((Dispatcher,), lambda value, above: _all((value.py_func, value.targetoptions), above)),
    ((Intrinsic,), lambda value, above: _content(value._defn, above)),
    ((functools._lru_cache_wrapper,), lambda value, above: _content(value.__wrapped__, above)),
    ((type, types.BuiltinFunctionType), lambda value, above: _name(value)),
    ((types.ModuleType, np.ufunc), lambda value, above: value.__name__),
    ((Type, ir.Type), lambda value, above: str(value)),
)
