"""Which state of a phase is kept, when it ends early, and how many steps and samples there are room for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edgeopt
from edgeopt.errors import EdgeoptError
from tests.edgeopt.training.stripes import exact, network, samples

pytest.importorskip("jax", reason="the extra 'tune' is not installed")

from edgeopt.training.memory import fitting, sample_bytes
from edgeopt.training.phase import State
from edgeopt.training.train import Progress
from edgeopt.training.watch import Watch
from tests.edgeopt.training.test_train import TRAIN, recipe, weights


def states(count: int) -> list[State]:
    return [State({("weight", "a"): np.full(2, i, np.float32)}) for i in range(count)]


def test_the_state_with_the_least_loss_is_kept() -> None:
    made = states(4)
    watch = Watch(2, 0.0, made[0])
    assert watch.chosen(made[3]) is made[3]  # nothing was seen yet
    for loss, state in zip((3.0, 1.0, 2.0, 1.5), made, strict=True):
        assert not watch.over
        watch.see(np.full(8, loss), state)
    assert watch.over and watch.chosen(made[3]) is made[1]


def test_a_later_state_is_kept_unless_it_is_worse_by_more_than_chance() -> None:
    made, chance = states(4), np.array([-1.0, 1.0] * 8)
    watch = Watch(2, 0.0, made[0])
    watch.see(np.zeros(16), made[0])
    watch.see(chance + 0.1, made[1])
    assert watch.chosen(made[3]) is made[1]
    watch.see(0.1 * chance + 0.1, made[2])
    assert watch.chosen(made[3]) is made[1] and not watch.over


def test_before_a_network_is_what_it_has_to_be_nothing_is_looked_at() -> None:
    watch = Watch(2, 0.7, states(1)[0])
    due = [step for step in range(101) if watch.due(step, 100)]
    assert due[0] >= 70 and due[-1] == 100 and len(due) == 7
    assert Watch(2, 0.0, states(1)[0]).due(0, 100)


def test_what_is_saved_goes_on_the_same() -> None:
    made = states(3)
    watch, other = Watch(3, 0.0, made[0]), Watch(3, 0.0, made[2])
    for loss, state in zip((1 / 3, 0.5), made, strict=False):
        watch.see(np.full(8, loss), state)
    other.restore(watch.saved())
    other.see(np.full(8, np.nextafter(1 / 3, 1)), made[2])  # worse in the last bit
    assert np.array_equal(other.chosen(made[2]).trained["weight", "a"], [0, 0])


def test_a_training_that_only_harms_leaves_the_network_as_it_is(tmp_path: Path) -> None:
    """At such a rate no step is better than the start, and patience ends it early."""
    seen: list[Progress] = []
    text = 'epochs = 8\nbatch = 32\npatience = 2\nteacher = 0\n[[phase]]\nkind = "finetune"\nrate = 30.0\n'
    made = edgeopt.tune(network(), TRAIN, recipe(tmp_path, text), level=1, listener=seen.append)
    before = edgeopt.compile(network(), 1)
    assert all(np.array_equal(a, b) for a, b in zip(weights(made), weights(before), strict=True))
    assert seen[-1].step < seen[-1].steps / 2
    (phase,) = made.manifest["training"]["phases"]
    assert phase == {"phase": "finetune", "steps": seen[-1].steps, "done": seen[-1].step}
    told = f"'finetune' ended at step {phase['done']} of {phase['steps']}: 2 looks at held-out samples in a row"
    assert any(told in line for line in made.manifest["notes"])


def test_minutes_bound_the_steps_and_checkpoints_remember_how_many(tmp_path: Path) -> None:
    text = 'epochs = 100000\nbatch = 32\npatience = 0\n[[phase]]\nkind = "finetune"\n'
    asked = {"minutes": 0.02, "checkpoints": tmp_path / "c", "level": 1}
    first = edgeopt.tune(network(), TRAIN, recipe(tmp_path, text), **asked)  # type: ignore[arg-type]
    again = edgeopt.tune(network(), TRAIN, recipe(tmp_path, text), **asked)  # type: ignore[arg-type]
    steps = first.manifest["training"]["steps"]
    assert 1 <= steps < 5000 and again.manifest["training"]["steps"] == steps
    assert all(np.array_equal(a, b) for a, b in zip(weights(first), weights(again), strict=True))


def test_a_batch_is_halved_until_it_fits() -> None:
    graph = exact(network())
    each = sample_bytes(graph)
    assert fitting(graph, 64, 100 * each) == 64
    assert fitting(graph, 64, 17 * each) == 16
    with pytest.raises(EdgeoptError, match="a sample takes about"):
        fitting(graph, 64, each // 2)


def test_few_samples_are_held_out_without_deciding(tmp_path: Path) -> None:
    few = samples(60)
    text = 'epochs = 1\nbatch = 16\n[[phase]]\nkind = "finetune"\n'
    made = edgeopt.tune(network(), few, recipe(tmp_path, text), level=1)
    assert made.manifest["training"]["held_out"] == 6
    told = "1 epochs of 54 samples are 3 steps; steps = 600 in the recipe makes more of them, of smaller batches"
    assert told in made.manifest["notes"]
