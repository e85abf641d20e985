"""Exits of a plan that runs: samples that left on one tier are not asked of the next, and answers are put together again.

A part with exits gives the network's output, and beside it the number of the exit where each sample left. Where that is negative
the sample goes on with what the part sends. Then it is -1 - n and the output holds the answer of exit n, the last that was asked:
unsure, but the best there is where nobody answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgeopt.ir import Array
from edgeopt.serve.remote import Unreachable
from edgeopt.serve.served import Signature

Ask = Callable[[dict[str, Array]], Mapping[str, Array]]


@dataclass(frozen=True)
class Early:
    """The network's ``output``, and the ``values`` behind which its exits lie; the number after the last is the network's end."""

    output: str
    values: tuple[str, ...]

    @property
    def leaves(self) -> str:
        """The name of the numbers."""
        return f"{self.output}.exit"

    def places(self, outputs: Mapping[str, Array]) -> tuple[str, ...]:
        """Where each sample left: the value of the exit, or nothing for the end."""
        return tuple((*self.values, "")[int(number)] for number in outputs[self.leaves])

    def decided(self, known: Mapping[str, Array]) -> dict[str, Array]:
        """``known`` where samples that wanted to go on leave with the answer of the last exit that they asked."""
        numbers = known[self.leaves]
        return {**known, self.leaves: np.where(numbers < 0, -1 - numbers, numbers)}


def asked(early: Early | None, known: Mapping[str, Array], sends: Sequence[Signature], ask: Ask) -> dict[str, Array]:
    """``known`` with the answers of ``ask`` to the tensors ``sends`` of those samples that did not leave, if there are any.

    Raises Unreachable for an answer that names an exit which the plan has not.
    """
    if early is None or early.leaves not in known:
        return {**known, **_checked(early, ask({port.name: known[port.name] for port in sends}))}
    staying = known[early.leaves] < 0
    if not staying.any():
        return dict(known)
    sent = {port.name: _rows(known[port.name], staying)[staying].reshape(-1, *port.shape[1:]) for port in sends}
    reply = _checked(early, ask(sent))
    ended = {early.leaves: np.full(np.count_nonzero(staying), len(early.values), np.int64)}
    return {**known, **{name: _joined(known.get(name), array, staying) for name, array in {**ended, **reply}.items()}}


def _checked(early: Early | None, reply: Mapping[str, Array]) -> Mapping[str, Array]:
    numbers = reply.get(early.leaves) if early is not None else None
    if early is not None and numbers is not None and not ((numbers >= 0) & (numbers <= len(early.values))).all():
        raise Unreachable(f"an answer says that a sample left at exit {numbers.min()} or {numbers.max()}, which there is not")
    return reply


def _rows(array: Array, samples: Array) -> Array:
    """``array`` with an axis for the samples in front."""
    return array.reshape(len(samples), -1, *array.shape[1:])


def _joined(mine: Array | None, theirs: Array, staying: Array) -> Array:
    """``mine``, with ``theirs`` for the samples that are ``staying``."""
    if mine is None:
        return theirs
    made = _rows(mine.copy(), staying)
    made[staying] = theirs.reshape(-1, *made.shape[1:])
    return np.asarray(made.reshape(mine.shape))
