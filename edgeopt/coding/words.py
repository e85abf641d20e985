"""Little-endian words anywhere in a block, for functions that numba compiles on arrays and on raw pointers alike."""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

Builder = Any


def called(function: Any) -> Any:
    """A function for others here to call; LLVM decides what it inlines, since to do so before types are known takes minutes."""
    return numba.njit(nogil=True)(function)


def _place(context: Any, builder: Builder, signature: Any, arguments: Any, bits: int) -> Any:
    """The address of element ``arguments[1]``, not negative, of an array or pointer, as one of words of ``bits``."""
    base = arguments[0]
    if isinstance(signature.args[0], types.Array):
        base = context.make_array(signature.args[0])(context, builder, base).data
    place = builder.gep(base, [arguments[1]])
    return builder.bitcast(place, ir.IntType(bits).as_pointer())


def _load(bits: int) -> Any:
    @intrinsic
    def load(context: Any, data: Any, at: Any) -> Any:
        def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Any:
            value = builder.load(_place(context, builder, signature, arguments, bits))
            value.align = 1
            return value if bits == 64 else builder.zext(value, ir.IntType(64))

        return types.int64(data, types.int64), generate

    return load


def _store(bits: int) -> Any:
    @intrinsic
    def store(context: Any, data: Any, at: Any, value: Any) -> Any:
        def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Any:
            value = arguments[2] if bits == 64 else builder.trunc(arguments[2], ir.IntType(bits))
            builder.store(value, _place(context, builder, signature, arguments, bits)).align = 1
            return context.get_dummy_value()

        return types.void(data, types.int64, types.int64), generate

    return store


load_8, load_16, load_32, load_64 = (_load(bits) for bits in (8, 16, 32, 64))
store_8, store_16, store_32, store_64 = (_store(bits) for bits in (8, 16, 32, 64))


@intrinsic
def load_real(context: Any, data: Any, at: Any) -> Any:
    """The float32 from byte ``at`` of bytes on, as a float64."""

    def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Any:
        word = builder.load(_place(context, builder, signature, arguments, 32))
        word.align = 1
        return builder.fpext(builder.bitcast(word, ir.FloatType()), ir.DoubleType())

    return types.float64(data, types.int64), generate


@intrinsic
def store_real(context: Any, data: Any, at: Any, value: Any) -> Any:
    """Write a float64 as a float32 from byte ``at`` of bytes on."""

    def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Any:
        word = builder.bitcast(builder.fptrunc(arguments[2], ir.FloatType()), ir.IntType(32))
        builder.store(word, _place(context, builder, signature, arguments, 32)).align = 1
        return context.get_dummy_value()

    return types.void(data, types.int64, types.float64), generate


@called
def load_word(data: Any, at: int, width: int) -> Any:
    """The ``width`` (1, 2, 4 or 8) bytes from byte ``at`` on as an int64."""
    word = 0
    if width == 1:
        word = load_8(data, at)
    elif width == 2:
        word = load_16(data, at)
    elif width == 4:
        word = load_32(data, at)
    else:
        word = load_64(data, at)
    return word


@called
def store_word(data: Any, at: int, word: int, width: int) -> None:
    """Write the low ``width`` (1, 2, 4 or 8) bytes of ``word`` from byte ``at`` on."""
    if width == 1:
        store_8(data, at, word)
    elif width == 2:
        store_16(data, at, word)
    elif width == 4:
        store_32(data, at, word)
    else:
        store_64(data, at, word)
