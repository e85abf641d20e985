"""Which channels can go: those whose loss costs the responses of their readers least once the rest makes up for it.

The optimal brain surgeon (Hassibi and Stork, 1993) for whole channels: with H = E[x x^T] of the inputs of a reader, losing the
columns S of its weight W costs tr(W_S (H^-1_SS)^-1 W_S^T) at its output, and W - W_S (H^-1_SS)^-1 H^-1_S: is what is best then.
Channels go one after the other. The cost is relative to the responses of each reader, so that all of them count alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeopt.ir import Array


class Reader:
    """A layer with the weight [outputs, K], the moments ``second`` [K, K] of its inputs, and the class of each of these."""

    def __init__(self, weight: Array, second: Array, classes: Array) -> None:
        self.weight, self._inverse = weight.copy(), np.linalg.inv(second)
        self._response = max(float(np.einsum("nk,kl,nl->", weight, second, weight, optimize=True)), 1e-30)
        order = np.argsort(classes, kind="stable")
        names, starts = np.unique(classes[order], return_index=True)
        self._columns = dict(zip(names.tolist(), np.split(order, starts[1:]), strict=True))

    def rises(self, classes: Array) -> Array:
        """What the loss of each of ``classes`` alone costs."""
        found = np.zeros(len(classes))
        columns = [self._columns.get(one, np.zeros(0, np.int64)) for one in classes.tolist()]
        sizes = np.array([len(c) for c in columns])
        for size in np.unique(sizes[sizes > 0]):
            at = np.flatnonzero(sizes == size)
            taken = np.stack([columns[i] for i in at])
            blocks = np.linalg.inv(self._inverse[taken[:, :, None], taken[:, None, :]])
            lost = self.weight.T[taken]  # [classes, columns, outputs]
            found[at] = np.einsum("csn,cst,ctn->c", lost, blocks, lost, optimize=True)
        return found / self._response

    def lose(self, one: int) -> None:
        """Take the class away, and let the other inputs make up for it."""
        gone = self._columns.pop(one, None)
        if gone is None:
            return
        shares = np.linalg.solve(self._inverse[np.ix_(gone, gone)], self._inverse[gone])
        self.weight -= self.weight[:, gone] @ shares
        self._inverse -= self._inverse[:, gone] @ shares
        self.weight[:, gone] = 0


def trusted(second: Array, rows: int) -> Array:
    """Moments [K, K] of ``rows`` rows, whose correlations count the less the fewer rows there are for each of the K inputs.

    What a few rows show of many inputs is mostly chance: each input would seem to be made up for by the others.
    """
    if not rows:
        return second
    share = rows / (rows + len(second))
    return np.asarray(share * second + (1 - share) * np.diag(np.diag(second)))


def least_salient(readers: Sequence[Reader], kinds: Sequence[Array], counts: Sequence[int]) -> Array:
    """``counts`` classes of each of ``kinds``, by which ``readers`` lose least; they are left without these."""
    left, waiting, gone = list(kinds), list(counts), list[int]()
    while any(waiting):
        open_kinds = [i for i, count in enumerate(waiting) if count]
        candidates = np.concatenate([left[i] for i in open_kinds])
        one = int(candidates[np.argmin(np.sum([reader.rises(candidates) for reader in readers], axis=0))])
        for reader in readers:
            reader.lose(one)
        kind = next(i for i in open_kinds if one in left[i])
        left[kind], waiting[kind] = left[kind][left[kind] != one], waiting[kind] - 1
        gone.append(one)
    return np.array(gone, np.int64)
