"""An integer program written row by row, solved by ``scipy.optimize.milp``."""

from __future__ import annotations

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from edgeopt.ir import Array
from edgeopt.standard_output import kept_clean

WHOLE = 1e-6  # by which a choice of the relaxation may miss 0 or 1
Terms = list[tuple[int, float]]  # (variable, coefficient)


class IntegerProgram:
    """Minimises a sum over variables that are at least 0, under rows ``terms <= bound``."""

    def __init__(self) -> None:
        self._upper: list[float] = []
        self._whole: list[bool] = []
        self._rows: list[Terms] = []
        self._bounds: list[float] = []

    def choice(self) -> int:
        """A new variable that is 0 or 1."""
        return self._variable(1.0, True)

    def share(self) -> int:
        """A new variable between 0 and 1."""
        return self._variable(1.0, False)

    def amount(self) -> int:
        """A new variable of any size."""
        return self._variable(np.inf, False)

    def _variable(self, upper: float, whole: bool) -> int:
        self._upper.append(upper)
        self._whole.append(whole)
        return len(self._upper) - 1

    def at_most(self, terms: Terms, bound: float) -> None:
        """Require ``sum of coefficient * variable <= bound``."""
        self._rows.append(terms)
        self._bounds.append(bound)

    def minimum(self, terms: Terms) -> Array | None:
        """The variables where the sum of ``terms`` is least; None when no choice meets the rows.

        The relaxation is solved first: where its choices are 0 or 1 they are the best of all, in a twentieth of the time.
        """
        if not self._upper:  # a single tier leaves nothing to choose; the solver wants a variable
            return np.zeros(0) if min(self._bounds, default=0.0) >= 0 else None
        prices = np.zeros(len(self._upper))
        np.add.at(prices, [v for v, _ in terms], [c for _, c in terms])
        prices /= np.abs(prices).max(initial=0.0) or 1.0  # the solver's tolerances are absolute
        whole = np.array(self._whole)
        relaxed = self._solved(prices, np.zeros(len(whole), int))
        if relaxed is None or np.abs(relaxed - np.rint(relaxed))[whole].max(initial=0.0) < WHOLE:
            return relaxed
        return self._solved(prices, whole.astype(int))

    def _solved(self, prices: Array, integrality: Array) -> Array | None:
        with kept_clean():
            found = milp(
                prices,
                integrality=integrality,
                bounds=Bounds(0, np.array(self._upper)),
                constraints=LinearConstraint(self._matrix(), -np.inf, np.array(self._bounds)),
                options={"mip_rel_gap": 0.0},
            )
        return None if found.x is None else np.asarray(found.x)

    def _matrix(self) -> csr_array:
        entries = [(row, v, c) for row, terms in enumerate(self._rows) for v, c in terms]
        rows, columns, values = zip(*entries, strict=True) if entries else ((), (), ())
        return csr_array((values, (rows, columns)), shape=(len(self._rows), len(self._upper)))
