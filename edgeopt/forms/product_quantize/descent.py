"""Codes and codebooks that change the response of a layer least: d H d^T for the change d of each row, H the moments of inputs.

This is the error correction of Wu et al. (2016, section 3.3), whose loss over calibration samples is this quadratic form: one
sub-space at a time, its codebook by least squares, then its codes, against what the other sub-spaces leave. It starts from codes
found in order with the error of each block fed into those that follow (as Frantar et al., GPTQ, 2023, for scalars).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeopt.forms.product_quantize.rates import Rate
from edgeopt.forms.product_quantize.spaces import Spaces
from edgeopt.forms.product_quantize.start import nearest
from edgeopt.ir import Array

RIDGE = 1e-6  # of the mean diagonal, for codewords that nothing uses


@dataclass(eq=False)
class Fit:
    """``target`` [M, K'] (float32), ``moments`` [K', K'] (float32), ``power`` [M] of the rows, ``books`` [S, A, K, C'],

    ``codes`` [M, S, taps] of sums of codewords.
    """

    target: Array
    moments: Array
    power: Array
    spaces: Spaces
    rate: Rate
    books: Array
    codes: Array

    def joint(self, space: int) -> Array:
        """The sums of codewords [joint, C'] of a sub-space, the first codebook's code in the highest place."""
        made: Array = self.books[space, 0]
        for book in self.books[space, 1:]:
            made = (made[:, None] + book[None]).reshape(-1, self.rate.size)
        return made

    def part(self, space: int) -> Array:
        """The columns [M, taps C'] that the codes of a sub-space stand for."""
        return self.joint(space)[self.codes[:, space]].reshape(len(self.codes), -1).astype(np.float32)

    def made(self) -> Array:
        """The rows that the codes stand for."""
        return np.concatenate([self.part(s) for s in range(self.spaces.count)], axis=1)

    def loss(self) -> float:
        """The error of the response relative to the response, in root mean square."""
        change = self.made() - self.target
        lost, whole = (float((self.power * np.einsum("mk,mk->m", d @ self.moments, d)).sum()) for d in (change, self.target))
        return float(np.sqrt(max(lost, 0.0) / max(whole, 1e-30)))


def assign_plainly(fit: Fit) -> None:
    """The codes of the nearest sums of codewords."""
    for s in range(fit.spaces.count):
        points = fit.target[:, fit.spaces.part(s)].reshape(-1, fit.rate.size)
        fit.codes[:, s] = nearest(points, fit.joint(s)).reshape(len(fit.codes), -1)


def assign_with_feedback(fit: Fit) -> None:
    """Codes block by block; what a block loses is made up for by the blocks that follow, as far as inputs go together."""
    spaces, size = fit.spaces, fit.rate.size
    inverse = np.linalg.inv(fit.moments.astype(np.float64))
    upper = np.linalg.cholesky((inverse + inverse.T) / 2).T.astype(np.float32)
    work = fit.target.copy()
    for s in range(spaces.count):
        first, joint = s * spaces.width, fit.joint(s).astype(np.float32)
        for t in range(spaces.taps):
            here = slice(first + t * size, first + (t + 1) * size)
            unit = np.linalg.inv(upper[here, here])
            code = nearest(work[:, here] @ unit, joint @ unit)
            lost, end = (work[:, here] - joint[code]) @ unit, first + spaces.width
            work[:, here.stop : end] -= lost @ upper[here, here.stop : end]
            work[:, here] = lost  # what later sub-spaces take over
            fit.codes[:, s, t] = code
        part = slice(first, first + spaces.width)
        work[:, part.stop :] -= work[:, part] @ upper[part, part.stop :]


def descend(fit: Fit, sweeps: int, codebooks: bool = True) -> None:
    """``sweeps`` through all sub-spaces: the codebook (unless it has to stay) and then the codes, each with all others kept."""
    gradient = (fit.made() - fit.target) @ fit.moments
    for _ in range(sweeps):
        for s in range(fit.spaces.count):
            part, before = fit.spaces.part(s), fit.part(s)
            own, slope = fit.moments[part, part], gradient[:, part].copy()
            if codebooks:
                fit.books[s] += _step(fit, s, own, slope)
                slope += (fit.part(s) - before) @ own
            _recode(fit, s, own, slope)
            gradient += (fit.part(s) - before) @ fit.moments[part]


def _step(fit: Fit, space: int, own: Array, slope: Array) -> Array:
    """The change of a codebook [A, K, C'] to where the loss is least with these codes: linear least squares."""
    taps, size, (books, words) = fit.spaces.taps, fit.rate.size, fit.books.shape[1:3]
    chosen = _chosen(fit.codes[:, space], books, words)  # [M, taps, A K]
    flat = chosen.reshape(len(chosen), -1)
    pairs = (flat.T @ (flat * fit.power[:, None])).reshape(taps, books * words, taps, books * words)
    system = np.einsum("tkul,tiuj->kilj", pairs, own.reshape(taps, size, taps, size).astype(np.float64), optimize=True)
    weighed, slopes = chosen * fit.power[:, None, None], slope.reshape(-1, taps, size).astype(np.float64)
    right = np.einsum("mtk,mti->ki", weighed, slopes, optimize=True)
    matrix = system.reshape(books * words * size, -1)
    matrix += RIDGE * np.trace(matrix) / len(matrix) * np.eye(len(matrix)) + 1e-30 * np.eye(len(matrix))
    return -np.linalg.solve(matrix, right.reshape(-1)).reshape(books, words, size)


def _chosen(codes: Array, books: int, words: int) -> Array:
    """Which codewords of all codebooks the codes [M, taps] name: [M, taps, A K] of zeros and ones."""
    made = np.zeros((*codes.shape, books, words))
    for a in range(books):
        np.put_along_axis(made[..., a, :], (codes // words ** (books - 1 - a) % words)[..., None], 1.0, axis=-1)
    return made.reshape(*codes.shape, -1)


def _recode(fit: Fit, space: int, own: Array, slope: Array) -> None:
    """New codes of a sub-space, one kernel position after the other; ``slope`` follows."""
    joint = fit.joint(space).astype(np.float32)
    for t in range(fit.spaces.taps):
        block = fit.spaces.block(t)
        metric = own[block, block].astype(np.float64)
        factor = np.linalg.cholesky(metric).astype(np.float32)
        old = joint[fit.codes[:, space, t]]
        best = old - slope[:, block] @ np.linalg.inv(metric).astype(np.float32)
        code = nearest(best @ factor, joint @ factor)
        fit.codes[:, space, t] = code
        slope += (joint[code] - old) @ own[block]
