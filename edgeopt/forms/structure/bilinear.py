"""Weights that are a product of two factors, fitted to a weight in the metric of the layer's inputs.

A layer with weight W [groups, rows, K] and inputs x errs by tr(D H D^T) when W + D stands for W, with H = E[x x^T]. A product
F(a, b) that is linear in each factor is improved by alternating least squares: the best ``a`` for the ``b`` at hand, then the
best ``b`` for that ``a``, each by conjugate gradients, which never raise the error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeopt.ir import Array

SWEEPS = 12
STEPS = 8  # of conjugate gradients for a factor; both chosen by hand, where errors no longer fall by a percent
SETTLED = 2e-3  # relative fall of the error in one sweep
TINY = 1e-30


@dataclass(frozen=True)
class Product:
    """F(a, b) as an einsum: "gnct,gcti->gnci". ``alone`` leading axes of each factor hold problems that do not touch."""

    formula: str
    alone: tuple[int, int] = (1, 1)

    def made(self, a: Array, b: Array) -> Array:
        """The weight [groups, rows, ...] that the factors stand for."""
        return np.asarray(np.einsum(self.formula, a, b, optimize=True))

    def back(self, index: int, other: Array, change: Array) -> Array:
        """The adjoint of F in factor ``index`` at the ``other`` one, of a ``change`` of the weight."""
        left, made = self.formula.split("->")
        names = left.split(",")
        return np.asarray(np.einsum(f"{made},{names[1 - index]}->{names[index]}", change, other, optimize=True))


def fitted(product: Product, target: Array, metric: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """Factors that err less than ``a`` and ``b`` in place of ``target`` [groups, rows, ...] with ``metric`` [groups, K, K]."""
    error = loss(target - product.made(a, b), metric)
    for _ in range(SWEEPS):
        a = _solved(product, 0, target, metric, a, b)
        b = _solved(product, 1, target, metric, b, a)
        before, error = error, loss(target - product.made(a, b), metric)
        if before - error <= SETTLED * before:
            break
    return a, b


def loss(change: Array, metric: Array) -> float:
    """Mean square of what ``change`` [groups, rows, ...] of the weight does to the outputs, summed over them."""
    flat = change.reshape(*change.shape[:2], -1)
    return float(np.einsum("gnk,gnk->", flat, flat @ metric))


def _solved(product: Product, index: int, target: Array, metric: Array, start: Array, other: Array) -> Array:
    """Conjugate gradients for factor ``index``, from ``start``."""

    def weight(factor: Array) -> Array:
        return product.made(factor, other) if index == 0 else product.made(other, factor)

    def pulled(change: Array) -> Array:
        flat = change.reshape(*change.shape[:2], -1) @ metric
        return product.back(index, other, flat.reshape(change.shape))

    alone, found = product.alone[index], start
    rest = pulled(target - weight(found))
    direction, size = rest, _inner(rest, rest, alone)
    for _ in range(STEPS):
        curved = pulled(weight(direction))
        step = size / np.maximum(_inner(direction, curved, alone), TINY)
        found, rest = found + step * direction, rest - step * curved
        size, before = _inner(rest, rest, alone), size
        direction = rest + size / np.maximum(before, TINY) * direction
    return found


def _inner(x: Array, y: Array, alone: int) -> Array:
    """Inner products of the problems in the leading ``alone`` axes, kept as axes of length one."""
    return np.asarray((x * y).sum(axis=tuple(range(alone, x.ndim)), keepdims=True))
