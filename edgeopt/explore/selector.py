"""Which of several compiled variants of a network answers an input: the fastest one that a predictor trusts with it.

For each variant a logistic regression on cheap features of the input says how likely its decision is that of the most accurate
variant, which is last (Taylor, Marco, Wolff, Elkhatib, Wang, Adaptive Deep Learning Model Selection on Embedded Systems, 2018).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate import metrics
from edgeopt.files import read_regular, replacing
from edgeopt.ir import Array
from edgeopt.runtime.artifact import load
from edgeopt.runtime.model import CompiledModel

LEAST, MOST = 20, 1 << 20  # samples to learn from, bytes of a file
FEATURES = 7  # of an input
Opened = Callable[[str], CompiledModel]
STRANGE = 8.0  # standard deviations from the mean, beyond which an input is like none that was seen


def features(sample: Array) -> Array:
    """Seven numbers of one input: mean, spread, extremes, mean steps along the last two axes, share of values above the mean."""
    flat = np.asarray(sample, np.float64)
    steps = [float(np.abs(np.diff(flat, axis=a)).mean()) if flat.ndim > -a - 1 and flat.shape[a] > 1 else 0.0 for a in (-1, -2)]
    return np.array([flat.mean(), flat.std(), flat.min(), flat.max(), *steps, float((flat > flat.mean()).mean())])


@dataclass(frozen=True)
class Variant:
    """A compiled model in ``folder``, ``seconds`` of an inference, and how its success depends on the features: a logistic

    regression with ``weights`` of features less ``means`` over ``scales`` and of their squares, and a ``bias``.
    """

    folder: str
    seconds: float
    weights: Sequence[float]
    bias: float
    means: Sequence[float]
    scales: Sequence[float]

    def trust(self, found: Array) -> float:
        """How likely it decides as the most accurate variant does on an input of these features."""
        scaled = (found - np.array(self.means)) / np.array(self.scales)
        if np.abs(scaled).max() > STRANGE:
            return 0.0
        z = float(np.dot(_terms(scaled), self.weights)) + self.bias
        return 1.0 / (1.0 + float(np.exp(-np.clip(z, -50, 50))))


def _terms(scaled: Array) -> Array:
    """Features and their squares: what is hard often lies between what is easy."""
    return np.concatenate([scaled, np.square(scaled)], axis=-1)


class Selector:
    """Variants from the fastest to the most accurate one, which answers what no other is trusted with.

    ``share`` is how likely a variant has to be right to be trusted; ``opened`` gives the model of a folder.
    """

    def __init__(self, variants: Sequence[Variant], share: float = 0.99, opened: Opened = load) -> None:
        self.variants, self.share, self._opened = tuple(variants), share, opened
        self._models: dict[str, CompiledModel] = {}

    def choose(self, sample: Array, deadline: float | None = None) -> Variant:
        """The variant for one ``sample`` without its leading axis; of those that keep the ``deadline`` (s), or the fastest."""
        found = features(sample)
        able = [v for v in self.variants if deadline is None or v.seconds <= deadline] or [self.variants[0]]
        return next((v for v in able[:-1] if v.trust(found) >= self.share), able[-1])

    def run(self, inputs: Mapping[str, Array], deadline: float | None = None) -> dict[str, Array]:
        """The outputs of the variant that is chosen by the first of the ``inputs``, which hold one sample."""
        chosen = self.choose(next(iter(inputs.values()))[0], deadline)
        if chosen.folder not in self._models:
            self._models[chosen.folder] = self._opened(chosen.folder)
        return self._models[chosen.folder].run(inputs)

    def save(self, path: str | Path) -> None:
        """Write it as JSON; folders are kept as they were given."""
        text = json.dumps({"schema": 1, "share": self.share, "variants": [asdict(v) for v in self.variants]}, indent=1)
        with replacing(Path(path)) as stream:
            stream.write(text.encode())


def read_selector(path: str | Path) -> Selector:
    """The selector in a file. Raises EdgeoptError for what is none."""
    try:
        found = json.loads(read_regular(Path(path), MOST))
        variants = [_variant_of(record) for record in found["variants"]]
        if not variants:
            raise ValueError("it has no variants")
        return Selector(variants, float(found["share"]))
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise EdgeoptError(f"'{path}' is no selector: {error}") from error


def _variant_of(record: Mapping[str, Any]) -> Variant:
    """A variant from its JSON. Raises KeyError, TypeError, ValueError and OverflowError for what is none."""
    weights, means, scales = ([float(value) for value in record[name]] for name in ("weights", "means", "scales"))
    if not len(weights) == 2 * len(means) == 2 * len(scales) == 2 * FEATURES:
        raise ValueError(f"a variant has {len(weights)} weights, {len(means)} means and {len(scales)} scales")
    return Variant(str(record["folder"]), float(record["seconds"]), weights, float(record["bias"]), means, scales)


def fitted(folders: Sequence[str | Path], inputs: Mapping[str, Array], seconds: Sequence[float], share: float = 0.99) -> Selector:
    """A selector of the compiled models in ``folders``, of which the last is the most accurate, learnt on ``inputs``.

    Raises EdgeoptError for fewer than ``LEAST`` samples.
    """
    return learnt([str(folder) for folder in folders], load, inputs, seconds, share)


def learnt(
    names: Sequence[str], opened: Opened, inputs: Mapping[str, Array], seconds: Sequence[float], share: float = 0.99
) -> Selector:
    """``fitted``, of models that ``opened`` gives by their names."""
    samples = np.stack([features(sample) for sample in next(iter(inputs.values()))])
    if len(samples) < LEAST:
        raise EdgeoptError(f"a selector is learnt on at least {LEAST} samples; there are {len(samples)}")
    decided = [metrics.decisions(next(iter(opened(name).run(inputs).values()))) for name in names]
    means, scales = samples.mean(axis=0), np.maximum(samples.std(axis=0), 1e-9)
    made = [
        _variant(name, time, _terms((samples - means) / scales), mine == decided[-1], means, scales)
        for name, time, mine in zip(names, seconds, decided, strict=True)
    ]
    return Selector(sorted(made[:-1], key=lambda v: v.seconds) + made[-1:], share, opened)


def _variant(folder: str, seconds: float, terms: Array, right: Array, means: Array, scales: Array) -> Variant:
    """Where a variant is always right, or never, there is nothing to learn: then its share of samples is what it is trusted."""
    if right.all() or not right.any():
        count = len(right) + 2  # Laplace's rule of succession
        share = (float(right.sum()) + 1) / count
        return Variant(
            folder, seconds, [0.0] * terms.shape[1], float(np.log(share / (1 - share))), means.tolist(), scales.tolist()
        )
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=100.0, max_iter=500).fit(terms, right)
    return Variant(folder, seconds, model.coef_[0].tolist(), float(model.intercept_[0]), means.tolist(), scales.tolist())
