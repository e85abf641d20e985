"""What one tier serves: its part of a placement, and what lies beyond it through the next tier."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.partition.early import asked
from edgeopt.partition.shipped import Shipped
from edgeopt.serve.neighbours import Neighbours
from edgeopt.serve.served import Signature, warm

PATIENCE = 30.0  # seconds for the next tier when the caller gave no deadline


class Hop:
    """Variant ``variant`` of a plan from ``tier`` on. Takes what crosses the link into the tier, gives what comes back over it.

    Raises EdgeoptError when a later tier is needed and ``beyond`` is None.
    """

    def __init__(self, plan: Shipped, variant: int, tier: str, beyond: Neighbours | None, key: Path | None = None) -> None:
        shipped, place = plan.variants[variant], plan.place(tier)
        self._wire, self._early = plan.wire, plan.early
        self.inputs: Sequence[Signature] = [plan.wire.signature(s) for s in shipped.up[place - 1]]
        self.outputs: Sequence[Signature] = shipped.down[place - 1]
        self._name, self._part, self._beyond = plan.name(variant), plan.part(variant, tier, key), beyond
        if self._part is not None:
            warm(self._part)
        last = place == len(plan.tiers) - 1
        self._sends: Sequence[Signature] = () if last else shipped.up[place]
        self._back: Sequence[Signature] = () if last else shipped.down[place]
        self._goes_on = shipped.uses(place)
        if self._goes_on and beyond is None:
            raise EdgeoptError(
                f"'{tier}' passes {self._name} on to '{plan.tiers[place + 1]}': give its address (--next HOST:PORT)"
            )

    def run(self, inputs: Mapping[str, Array], deadline: float | None) -> dict[str, Array]:
        """The results of this tier and of those behind it, which only samples get to that do not leave here.

        Raises Unreachable when the next tier does not answer in time, and WireError for a coded tensor that is damaged.
        """
        known = self._wire.received(inputs)
        if self._part is not None:
            known |= self._part.run({port.name: known[port.name] for port in self._part.inputs})
        if self._goes_on and self._beyond is not None:
            until = deadline if deadline is not None else time.monotonic() + PATIENCE
            known = asked(self._early, known, self._sends, lambda tensors: self._passed_on(tensors, until))
        return {port.name: known[port.name] for port in self.outputs}

    def _passed_on(self, tensors: Mapping[str, Array], until: float) -> dict[str, Array]:
        assert self._beyond is not None
        return self._beyond.infer(self._name, self._wire.sent(tensors), self._back, until)[0].outputs


def hops(plan: Shipped, tier: str, beyond: Neighbours | None, key: Path | None = None) -> dict[str, Hop]:
    """What ``tier`` serves: the variants that ask it. Raises EdgeoptError for the first tier, which serves none."""
    if plan.place(tier) == 0:
        raise EdgeoptError(f"'{tier}' is where inferences begin; it runs edgeopt.partition.client.Client and serves nothing")
    link = plan.place(tier) - 1
    found = {plan.name(v): Hop(plan, v, tier, beyond, key) for v, shipped in enumerate(plan.variants) if shipped.uses(link)}
    if not found:
        used = [t for t in plan.tiers[1:] if any(v.uses(plan.place(t) - 1) for v in plan.variants)]
        nothing = f"all layers are best on '{plan.tiers[0]}', so there is nothing to serve"
        instead = f"serve {', '.join(used)}" if used else nothing
        raise EdgeoptError(f"no placement of '{plan.folder}' uses '{tier}': {instead}")
    return found
