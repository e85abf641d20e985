"""Functions of single elements, and of pairs of them that broadcast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp

from edgeopt.ir import Node, numpy_dtype
from edgeopt.training.operators.definition import Operator, Traced

UNARY: dict[str, Callable[[Any], Any]] = {
    "Abs": jnp.abs, "Acos": jnp.arccos, "Acosh": jnp.arccosh, "Asin": jnp.arcsin, "Asinh": jnp.arcsinh, "Atan": jnp.arctan,
    "Atanh": jnp.arctanh, "Ceil": jnp.ceil, "Cos": jnp.cos, "Cosh": jnp.cosh, "Erf": jax.scipy.special.erf, "Exp": jnp.exp,
    "Floor": jnp.floor, "HardSwish": lambda x: x * jnp.clip(x / 6 + 0.5, 0, 1), "Identity": lambda x: x, "IsNaN": jnp.isnan,
    "Log": jnp.log, "Mish": lambda x: x * jnp.tanh(jax.nn.softplus(x)), "Neg": jnp.negative, "Not": jnp.logical_not,
    "Reciprocal": lambda x: 1 / x, "Relu": jax.nn.relu, "Round": jnp.rint, "Sigmoid": jax.nn.sigmoid, "Sign": jnp.sign,
    "Sin": jnp.sin, "Sinh": jnp.sinh, "Softplus": jax.nn.softplus, "Softsign": jax.nn.soft_sign, "Sqrt": jnp.sqrt,
    "Tan": jnp.tan, "Tanh": jnp.tanh,
}  # fmt: skip
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "Add": jnp.add, "And": jnp.logical_and, "Div": jnp.divide, "Equal": jnp.equal, "Greater": jnp.greater,
    "GreaterOrEqual": jnp.greater_equal, "Less": jnp.less, "LessOrEqual": jnp.less_equal, "Mul": jnp.multiply,
    "Or": jnp.logical_or, "Sub": jnp.subtract, "Xor": jnp.logical_xor,
    "PRelu": lambda x, slope: jnp.where(x < 0, x * slope, x),
    "Pow": lambda x, y: jnp.power(x, y).astype(x.dtype),
}  # fmt: skip
VARIADIC: dict[str, Callable[[Any, Any], Any]] = {"Max": jnp.maximum, "Min": jnp.minimum, "Sum": jnp.add}


def _unary(function: Callable[[Any], Any]) -> Operator:
    return lambda node, inputs: function(inputs[0])


def _binary(function: Callable[[Any, Any], Any]) -> Operator:
    return lambda node, inputs: function(inputs[0], inputs[1])


def _variadic(function: Callable[[Any, Any], Any]) -> Operator:
    return lambda node, inputs: reduce(function, [x for x in inputs if x is not None])


def _mean(node: Node, inputs: Sequence[Any]) -> Traced:
    return reduce(jnp.add, inputs) / len(inputs)


def _clip(node: Node, inputs: Sequence[Any]) -> Traced:
    x, low, high = (*inputs, None, None)[:3]
    x = x if low is None else jnp.maximum(x, low)
    return x if high is None else jnp.minimum(x, high)


def _bent(function: Callable[[Any, float, float], Any], alpha: float = 0.0, beta: float = 0.0) -> Operator:
    """An activation with the attributes ``alpha`` and ``beta`` (or ``gamma`` in its place), and their defaults."""

    def operator(node: Node, inputs: Sequence[Any]) -> Traced:
        second = node.real("gamma", beta) if "gamma" in node.attributes else node.real("beta", beta)
        return function(inputs[0], node.real("alpha", alpha), second)

    return operator


def _gelu(node: Node, inputs: Sequence[Any]) -> Traced:
    return jax.nn.gelu(inputs[0], approximate=node.text("approximate", "none") == "tanh")


def _swish(node: Node, inputs: Sequence[Any]) -> Traced:
    (x,) = inputs
    return x * jax.nn.sigmoid(node.real("alpha", 1.0) * x)


def _shrink(node: Node, inputs: Sequence[Any]) -> Traced:
    (x,), bias, bound = inputs, node.real("bias", 0.0), node.real("lambd", 0.5)
    return jnp.where(x < -bound, x + bias, jnp.where(x > bound, x - bias, 0 * x))


def _cast(node: Node, inputs: Sequence[Any]) -> Traced:
    (x, *_), type_ = inputs, node.output.type
    assert x is not None and type_ is not None
    return x.astype(numpy_dtype(type_.dtype))


def _where(node: Node, inputs: Sequence[Any]) -> Traced:
    return jnp.where(*inputs)


SELU = 1.6732632423543772, 1.0507009873554805
OPERATORS: dict[str, Operator] = {
    **{name: _unary(function) for name, function in UNARY.items()},
    **{name: _binary(function) for name, function in BINARY.items()},
    **{name: _variadic(function) for name, function in VARIADIC.items()},
    "Mean": _mean,
    "Clip": _clip,
    "Gelu": _gelu,
    "Swish": _swish,
    "Shrink": _shrink,
    "Cast": _cast,
    "CastLike": _cast,
    "Where": _where,
    "Dropout": _unary(lambda x: x),
    "LeakyRelu": _bent(lambda x, a, _: jnp.where(x < 0, a * x, x), 0.01),
    "Elu": _bent(lambda x, a, _: jnp.where(x < 0, a * jnp.expm1(jnp.minimum(x, 0)), x), 1.0),
    "Celu": _bent(lambda x, a, _: jnp.maximum(x, 0) + jnp.minimum(0, a * jnp.expm1(jnp.minimum(x, 0) / a)), 1.0),
    "Selu": _bent(lambda x, a, g: g * jnp.where(x < 0, a * jnp.expm1(jnp.minimum(x, 0)), x), *SELU),
    "HardSigmoid": _bent(lambda x, a, b: jnp.clip(a * x + b, 0, 1), 0.2, 0.5),
    "ThresholdedRelu": _bent(lambda x, a, _: jnp.where(x > a, x, 0 * x), 1.0),
}
