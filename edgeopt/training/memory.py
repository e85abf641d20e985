"""How many samples of a step fit into memory: a batch that is too large is halved."""

from __future__ import annotations

from math import prod

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.notes import add_note
from edgeopt.ir import Graph
from edgeopt.memory_limit import amount, machine_memory

COPIES = 8  # of each value of a sample, with its gradient and what XLA keeps: ResNet-20 takes 425 MB for 64, and this says 404
SHARE = 0.5  # of the machine's memory, which is not there for the training alone


def sample_bytes(graph: Graph) -> int:
    """About what one call takes in a step."""
    outputs = [v for node in graph.nodes for v in node.outputs if v.type is not None and v.type.static]
    return COPIES * 4 * sum(prod(v.type.dims) for v in outputs if v.type is not None)


def fitting(graph: Graph, batch: int, limit: int | None = None) -> int:
    """``batch``, or half of it, and so on, until a step fits into ``limit`` bytes, by default a part of what the machine has.

    Raises EdgeoptError when one sample does not fit.
    """
    most, each = int(SHARE * machine_memory()) if limit is None else limit, sample_bytes(graph)
    made = batch
    while made > 1 and made * each > most:
        made //= 2
    if made * each > most:
        raise EdgeoptError(f"a sample takes about {amount(each)} while it is trained on, and there is room for {amount(most)}")
    if made != batch:
        add_note(graph, f"{made} samples a step, not {batch}: these take {amount(batch * each)}, with room for {amount(most)}")
    return made
