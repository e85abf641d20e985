"""LayerNormalization and RMSNormalization of float32 rows in vectors: the mean, the variance, the result, in three walks.

Scale and bias have the shape of the normalised axes, and mean and inverse deviation are not asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from llvmlite import ir

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Site
from edgeopt.kernels.emit.elements import require, static, wanted
from edgeopt.kernels.emit.emitter import Emitter, Value
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.reduce.row_vectors import CRUMB, along, only
from edgeopt.kernels.stated import stating
from edgeopt.target import Target


@dataclass(frozen=True)
class Form:
    """Rows of ``n`` elements; ``centred``: the mean is taken off; ``shifted``: a bias is added."""

    n: int
    epsilon: float
    centred: bool
    shifted: bool


@dataclass(frozen=True)
class Normalised:
    """The form of a call (x, scale, bias, y) for ``outer`` rows, ``run`` in a chunk."""

    form: Form
    outer: int
    run: int


def _emit(e: Emitter, form: Form, x: Value, s: Value, b: Value, y: Value) -> None:
    mean = _mean(e, form, lambda at, lanes: e.load_first(e.at(x, at), lanes)) if form.centred else e.constant(0.0)

    def square(at: Value, lanes: int) -> Value:
        value = e.sub(e.load_first(e.at(x, at), lanes), mean)
        return only(e, e.mul(value, value), lanes, e.constant(0.0))

    variance = e.add(_mean(e, form, square), e.constant(form.epsilon))
    inverse = e.div(e.constant(1.0), e.call("sqrt", variance))

    def normalised(at: Value, lanes: int, factor: Value) -> Value:
        value = e.mul(e.sub(e.load_first(e.at(x, at), lanes), mean), factor)
        scale = e.load_first(e.at(s, at), lanes)
        value = e.fma(value, scale, e.load_first(e.at(b, at), lanes)) if form.shifted else e.mul(value, scale)
        e.store_first(value, e.at(y, at), lanes)
        return factor

    along(e, form.n, inverse, normalised, lambda first, second: first)


def _mean(e: Emitter, form: Form, term: Callable[[Value, int], Value]) -> Value:
    """The mean of ``term(offset, lanes)`` over a row, in every lane; lanes that do not exist must be zero."""
    total = along(e, form.n, e.constant(0.0), lambda at, lanes, carried: e.add(carried, term(at, lanes)), e.add)
    return e.splat(e.builder.fmul(e.reduce_add(total), ir.Constant(ir.FloatType(), float(np.float32(1 / form.n)))))


def _rows(target: Target, form: Form, outer: int, run: int) -> Callable[..., None]:
    def emit(e: Emitter, x: Value, s: Value, b: Value, y: Value) -> None:
        _emit(e, form, x, s, b, y)

    row, n = vector_function(target, 4, emit), form.n

    def normalise(x: Any, s: Any, b: Any, y: Any, begin: Any, end: Any) -> None:
        for i in range(begin * run, min(end * run, outer)):
            row(offset(x, i * n), s, b, offset(y, i * n))

    return stating(normalise, Normalised(form, outer, run))


def _select(site: Site) -> tuple[KernelCall, ...]:
    x, node = site.given(0), site.node
    static(*site.inputs)
    for tensor in (t for t in site.inputs if t is not None):
        require(tensor, "float32")
    if wanted(site, 1) or wanted(site, 2):
        raise Declined("its mean or inverse deviation is asked for")
    axis = node.integer("axis", -1) % len(x.shape)
    outer, n = prod(x.shape[:axis]), prod(x.shape[axis:])
    kept = (1,) * axis + x.shape[axis:]
    if any(t is not None and (1,) * (len(kept) - len(t.shape)) + t.shape != kept for t in site.inputs[1:]):
        raise Declined("scale and bias do not have the shape of the normalised axes")
    form = Form(n, node.real("epsilon", 1e-5), node.op == "LayerNormalization", site.optional(2) is not None)
    bias: Operand = Input(2) if form.shifted else Packed(np.zeros(1, np.float32))
    run = min(outer, -(-CRUMB // n))
    operands: tuple[Operand, ...] = (Input(0), Input(1), bias, Output())
    return (KernelCall(_rows(site.target, form, outer, run), operands, (), -(-outer // run)),)


KERNEL = Kernel("layer_normalization_vector", ("LayerNormalization", "RMSNormalization"), _select)
