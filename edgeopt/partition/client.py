"""The device's side of a plan: it computes its part, sends the rest away, and has an answer in time whatever happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.partition.early import asked
from edgeopt.partition.link_watch import LinkWatch
from edgeopt.partition.shipped import Shipped, load_plan
from edgeopt.runtime.model import CompiledModel
from edgeopt.serve.neighbours import Neighbours, Resting
from edgeopt.serve.remote import Unreachable
from edgeopt.serve.remotes import remote
from edgeopt.serve.served import warm
from edgeopt.target import Target

RESERVE = 2.0  # times the measured time of a local run that is kept for one before the deadline
MARGIN = 0.005  # seconds besides: waking up, copying
How = Literal["plan", "local", "early exit"]


@dataclass(frozen=True)
class Answer:
    """``outputs`` by name; ``where``: the device, or the address of the server that answered; ``variant`` of the plan that ran.

    ``how`` is ``plan`` where the parts of the placement computed it, ``local`` where the device ran the whole network instead,
    ``early exit`` where there was no time for that and the exit behind the device's part answered. ``reason`` says why another
    tier that was asked did not answer, and is empty otherwise. ``left`` says of each sample behind which value it left the
    network early, nothing for its end; () for a plan without exits. What left on the device was not sent, and where all samples
    did, ``where`` is the device.
    """

    outputs: dict[str, Array]
    where: str
    variant: int
    seconds: float
    reason: str = ""
    how: How = "plan"
    left: tuple[str, ...] = ()


class Client:
    """Runs the plan in ``folder`` from its device, with the ``servers`` of the next tier, the preferred first.

    A server is HOST:PORT, or grpc://HOST:PORT.

    The placement follows what is seen of link and servers, by the plan's table. Raises EdgeoptError for a plan without a
    placement on the device alone, or without servers.
    """

    def __init__(
        self,
        folder: str | Path,
        servers: Sequence[str],
        token: str = "",
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> None:
        self._plan: Shipped = load_plan(folder)
        self._device = self._plan.tiers[0]
        self._parts = [self._plan.part(v, self._device, key) for v in range(len(self._plan.variants))]
        alone = [v for v, shipped in enumerate(self._plan.variants) if set(shipped.parts) <= {self._device}]
        local = self._parts[alone[0]] if alone else None
        if local is None:
            raise EdgeoptError(f"'{folder}' has no placement on '{self._device}' alone; write the plan again")
        if not (target := Target(**local.manifest["target"])).runs_here:
            other = f"the parts for '{self._device}' are compiled for '{target.name}' and cannot run on this machine"
            raise EdgeoptError(f"{other}; run the client there, or plan with tiers whose target is host (--tiers pc)")
        for shipped, part in zip(self._plan.variants, self._parts, strict=True):
            _check_early(shipped.early, part, local)
        if not servers and any(shipped.uses(0) for shipped in self._plan.variants):
            raise EdgeoptError(f"no server is given that '{folder}' may send to; name one of the next tier as HOST:PORT")
        self._alone, self._local = alone[0], local
        self._neighbours = Neighbours([remote(address, token, certificate) for address in servers])
        self._watch = LinkWatch(self._plan)
        self._lock = threading.Lock()
        self._local_seconds = 0.0
        self._warm()

    @property
    def watch(self) -> LinkWatch:
        """What is known of the link, and the placement that follows from it."""
        return self._watch

    def run(self, inputs: Mapping[str, Array], deadline: float) -> Answer:
        """The model's outputs, ``deadline`` seconds from now at the latest unless the device itself needs longer.

        Raises EdgeoptError for inputs that do not fit; never for what happens on links and servers.
        """
        started = time.monotonic()
        variant = self._watch.variant()
        if variant == self._alone:
            return self._here(inputs, started, "")
        known = self._first(inputs, variant)
        early = self._plan.variants[variant].early
        reserve = self._reserve(inputs)
        kept = 0.0 if early and reserve > deadline / 2 else reserve  # an exit is worse than the network, but better than none
        try:
            return self._away(known, variant, started, started + deadline - kept - MARGIN)
        except Unreachable as error:
            if not isinstance(error, Resting):
                self._watch.failed()
            if early and time.monotonic() + reserve > started + deadline:
                known |= {name: known[answer] for name, answer in early.items()}
                known = known if self._plan.early is None else self._plan.early.decided(known)
                return self._answer(known, self._device, variant, started, str(error), "early exit")
            return self._here(inputs, started, str(error))

    def _first(self, inputs: Mapping[str, Array], variant: int) -> dict[str, Array]:
        """The inputs, and what the device's part of ``variant`` makes of them."""
        part = self._parts[variant]
        return dict(inputs) | ({} if part is None else _run(part, inputs))

    def _away(self, known: Mapping[str, Array], variant: int, started: float, until: float) -> Answer:
        shipped, where = self._plan.variants[variant], self._device

        def ask(tensors: Mapping[str, Array]) -> dict[str, Array]:
            nonlocal where
            reply, where = self._neighbours.infer(self._plan.name(variant), self._plan.wire.sent(tensors), shipped.down[0], until)
            self._watch.answered(reply, variant)
            return reply.outputs

        return self._answer(asked(self._plan.early, known, shipped.up[0], ask), where, variant, started)

    def _answer(
        self, known: Mapping[str, Array], where: str, variant: int, started: float, reason: str = "", how: How = "plan"
    ) -> Answer:
        """What is ``known`` of the outputs, and where samples left."""
        outputs = {port.name: known[port.name] for port in self._local.outputs}
        left = () if self._plan.early is None else self._plan.early.places(outputs)
        return Answer(outputs, where, variant, time.monotonic() - started, reason, how, left)

    def _here(self, inputs: Mapping[str, Array], started: float, reason: str) -> Answer:
        how: How = "local" if reason else "plan"
        return self._answer(self._timed(inputs), self._device, self._alone, started, reason, how)

    def _reserve(self, inputs: Mapping[str, Array]) -> float:
        """The time that is kept for a run of the whole network on the device."""
        return RESERVE * self._measured(inputs)

    def _warm(self) -> None:
        """Load the code of every part and time the local one, so that the first answers are no slower than others."""
        for part in self._parts:
            if part is not None:
                warm(part)
        with suppress(EdgeoptError):  # a model that zeros do not suit
            self._measured({port.name: np.zeros(port.shape, port.dtype) for port in self._local.inputs})

    def _measured(self, inputs: Mapping[str, Array]) -> float:
        """How long a run on the device takes, of which one on zeros told where it could."""
        if not self._local_seconds:
            self._timed(inputs)
            self._timed(inputs)
        return self._local_seconds

    def _timed(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        begun = time.monotonic()
        outputs = self._local.run(inputs)
        taken = time.monotonic() - begun
        with self._lock:  # a slow run counts at once, a fast one by and by
            self._local_seconds = max(taken, 0.8 * self._local_seconds + 0.2 * taken) if self._local_seconds else taken
        return outputs


def _run(model: CompiledModel, known: Mapping[str, Array]) -> dict[str, Array]:
    return model.run({port.name: known[port.name] for port in model.inputs if port.name in known})


def _check_early(early: Mapping[str, str], part: CompiledModel | None, local: CompiledModel) -> None:
    """Raises EdgeoptError where an exit does not answer for all outputs, or the device's part does not compute its answers."""
    made = set() if part is None else {port.name for port in part.outputs}
    if early and (set(early) != {port.name for port in local.outputs} or not set(early.values()) <= made):
        raise EdgeoptError(
            f"the plan's exit answers {', '.join(early.values())} are none of the device's part; write the plan again"
        )
