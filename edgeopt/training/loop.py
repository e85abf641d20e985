"""The steps of one phase: gradients of the loss on a batch, Adam with a cosine schedule, and what the phase changes in between.

The state with the least loss on held-out samples is what a phase leaves (``watch``).

Adam's epsilon is large and the rate rises at first, since a network that follows itself starts with gradients near zero, which
Adam would scale up (Kingma and Ba, Adam, 2015; Loshchilov and Hutter, SGDR, 2017). A loop over a jitted step: XLA's convolutions
inside a scan are many times slower.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import cos, isfinite, pi
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, Graph, Node
from edgeopt.training import batch_norm
from edgeopt.training.batches import Batches, calls
from edgeopt.training.forward import as_it_is, feeds, forward, mean_statistics
from edgeopt.training.held_out import HeldOut
from edgeopt.training.layers import Layers
from edgeopt.training.losses import Loss
from edgeopt.training.network import Hooks, run
from edgeopt.training.operators.definition import Traced
from edgeopt.training.phase import Key, Phase, State
from edgeopt.training.unused import without_unused
from edgeopt.training.watch import Watch

WARM_UP = 0.05  # of the steps
LAST_RATE = 0.01  # of the highest
EPSILON, CLIP = 1e-6, 1.0
STATISTIC_PARTS = 16
USUAL_WEIGHT, SLOWEST = 0.1, 1e-3  # root mean square of weights that move at the rate of a phase, and the least part of it


@dataclass(frozen=True)
class Task:
    """What all phases of a training share. ``wanted`` names the values of the ``original`` network that are followed; ``teacher``

    holds them for all training samples, None where inputs are changed at random, so that the network has to run with them.
    """

    original: Graph
    wanted: Sequence[str]
    batches: Batches
    loss: Loss
    teacher: Sequence[Array] | None
    patience: int = 0


def pace(key: Key, array: Array) -> np.float32:
    """How fast a parameter moves, for the rate of a phase: small weights in proportion to their size, since Adam moves all alike.

    Those that read images of 0 to 255 would be gone after a few steps.
    """
    kept = np.asarray(array)[np.asarray(array) != 0]
    if "weight" not in key[:-1] or not len(kept):
        return np.float32(1)
    return np.float32(np.clip(np.sqrt(np.mean(np.square(kept))) / USUAL_WEIGHT, SLOWEST, 1.0))


class Loop:
    """``phase`` at work on ``layers`` for ``steps`` steps, which may change until the first; ``done`` are behind it."""

    def __init__(self, phase: Phase, layers: Layers, task: Task, steps: int) -> None:
        self._phase, self._layers, self._task, self.steps, self.done = phase, layers, task, steps, 0
        self.kind = phase.kind
        state = phase.begin(layers)
        nodes = [n for n in batch_norm.normalizable(layers, task.batches.batch) if phase.normalizes(n.name)]
        if nodes:
            state = replace(state, trained=batch_norm.put_back(state.trained, layers, self._observed(state, nodes)))
        self.state = State(*({k: jnp.asarray(a) for k, a in part.items()} for part in (state.trained, state.bound)))
        self._optimizer = optax.chain(optax.clip_by_global_norm(CLIP), optax.scale_by_adam(eps=EPSILON))
        self._adam = self._optimizer.init(self.state.trained)
        self._paces = {key: pace(key, array) for key, array in state.trained.items()}
        self._stepped = jax.jit(self._step)
        self._teacher = as_it_is(task.original, task.wanted)
        self._held_out = HeldOut(self._loss, self._teacher, task.batches, layers.graph)
        self._watch = Watch(task.patience, phase.settled, self.state, len(self._held_out.parts))

    @property
    def over(self) -> bool:
        """Whether all steps are done, or held-out samples say that more of them are no use."""
        return self.done >= self.steps or self._watch.over

    def step(self, number: int) -> Traced:
        """One step, on the batch ``number``; the loss before it, which may not be there yet: the next step need not wait."""
        if self.done == 0:
            self._look()
        batches, graph = self._task.batches, self._layers.graph
        feed, labels = calls(batches.arrays(number), graph), batches.labels(number)
        rows = None if labels is None else jnp.asarray(labels, jnp.int32)
        wanted = self._wanted(number, feed) if self._task.loss.follows(labels) else [None]
        rate, state = np.float32(self._rate()), self.state
        trained, self._adam, loss = self._stepped(state.trained, state.bound, self._adam, feed, wanted, rows, rate)
        last, self.done = self.done / self.steps, self.done + 1
        self.state = self._phase.adapted(State(trained, state.bound), self._moments, last, self.done / self.steps)
        self._look()
        return loss

    def _wanted(self, number: int, feed: Mapping[str, Any]) -> Sequence[Traced]:
        """What the original network says of the batch."""
        known, index = self._task.teacher, self._task.batches.indices(number)
        return self._teacher(feed) if known is None else [array[index] for array in known]

    def finite(self, loss: Traced) -> float:
        """The ``loss`` of the last step as a number. Raises EdgeoptError when it is none."""
        found = float(loss)
        if not isfinite(found) and self.done == 1:  # the loss is that before the step
            raise EdgeoptError(
                f"the loss is {found} before anything is trained in '{self.kind}': the network computes no finite numbers "
                "for the training data; check its preprocessing and the model"
            )
        if not isfinite(found):
            raise EdgeoptError(f"the loss is {found} in step {self.done} of '{self.kind}'; give a smaller rate in the recipe")
        return found

    def _rate(self) -> float:
        """Of learning, in the next step: it rises for a while, then falls along half a cosine."""
        warm = max(1, int(WARM_UP * self.steps))
        if self.done < warm:
            return self._phase.rate * self.done / warm
        fallen = 0.5 - 0.5 * cos(pi * (self.done - warm) / max(1, self.steps - warm))
        return self._phase.rate * (1.0 - fallen * (1.0 - LAST_RATE))

    def _moments(self) -> Mapping[Key, Array]:
        return optax.tree_utils.tree_get(self._adam, "nu")  # type: ignore[no-any-return]

    def _look(self) -> None:
        """At held-out samples, now and then."""
        if self._held_out.parts and self._watch.due(self.done, self.steps):
            self._watch.see(self._held_out.losses(self.state), self.state)

    def _step(
        self, trained: Any, bound: Any, adam: Any, feed: Any, wanted: Any, labels: Any, rate: Any
    ) -> tuple[Any, Any, Traced]:
        loss, slopes = jax.value_and_grad(self._loss)(trained, bound, feed, wanted, labels)
        updates, adam = self._optimizer.update(slopes, adam, trained)
        return {key: array - rate * self._paces[key] * updates[key] for key, array in trained.items()}, adam, loss

    def _loss(self, trained: Any, bound: Any, feed: Any, wanted: Any, labels: Any) -> Traced:
        state, loss = State(trained, bound), self._task.loss
        names, count = loss.names, len(loss.names)
        made, _ = forward(self._layers.graph, [*names, *self._phase.reads], self._phase, state, feed)
        beside = self._phase.beside(state, made[count:], lambda said: loss.of(said, wanted[0], labels))
        return loss.whole(made[:count], wanted, labels) + self._phase.penalty(state) + beside

    def finish(self) -> None:
        """Leave in the layers what was trained; batch normalisation is folded by statistics of the training samples."""
        self.state = self._watch.chosen(self.state)
        self._end()
        if self._phase.thins:
            without_unused(self._layers)

    def _end(self) -> None:
        if not any(key[0] == "scale" for key in self.state.trained):
            self._phase.end(self.state, self._layers)
            return
        made = jax.jit(lambda feed: forward(self._layers.graph, [self._task.loss.value], self._phase, self.state, feed)[1])
        statistics = mean_statistics(made, self._some())
        self._phase.end(self.state, self._layers)
        self._phase.scaled(batch_norm.folded(self.state.trained, self._layers, statistics), self._layers)

    def _observed(self, state: State, nodes: Sequence[Node]) -> dict[str, tuple[Array, Array]]:
        """Statistics of the products of the layers as they are before the phase."""
        graph, name = self._layers.graph, self._task.loss.value

        def observed(feed: Mapping[str, Any]) -> batch_norm.Statistics:
            seen: batch_norm.Statistics = {}
            hooks = Hooks(self._phase.constants(state), None, batch_norm.observing(seen, nodes))

            def one(arrays: Mapping[str, Any]) -> batch_norm.Statistics:
                run(graph, arrays, [name], hooks)
                return dict(seen)

            return jax.vmap(one, out_axes=None, axis_name=batch_norm.CALLS)(feed)  # type: ignore[no-any-return]

        return mean_statistics(jax.jit(observed), self._some())

    def _some(self) -> list[dict[str, Array]]:
        """Training samples enough for statistics, in their own order, in parts of one size."""
        parts = list(feeds(self._task.batches.training, self._layers.graph, STATISTIC_PARTS))
        return parts[:-1] if len(parts) > 1 and len(parts) < STATISTIC_PARTS else parts

    def saved(self) -> dict[str, Array]:
        """All that has changed since the start, by what it is and of which layer or value."""
        leaves, _ = jax.tree_util.tree_flatten_with_path(self._changing())
        return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}

    def restore(self, arrays: Mapping[str, Array], done: int) -> None:
        """Go on behind step ``done`` with what was ``saved`` there."""
        structure = jax.tree.structure(self._changing())
        *changed, watched = jax.tree.unflatten(structure, [arrays[name] for name in self.saved()])
        trained, bound, self._adam = jax.tree.map(jnp.asarray, tuple(changed))
        self.state, self.done = State(trained, bound), done
        self._watch.restore(watched)

    def _changing(self) -> tuple[Any, ...]:
        return self.state.trained, self.state.bound, self._adam, self._watch.saved()
