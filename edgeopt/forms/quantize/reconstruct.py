"""Layer by layer from input to output: each weight is rounded for the inputs it gets, and its mean error goes into the bias.

The rounded and the float network are run side by side. At a layer with float weight W, float inputs y and rounded inputs x the
target W y is approached by the weight W E[y x^T] E[x x^T]^-1 (least squares), whose codes adaptive rounding finds; the bias takes
E[W y] - E[W' x] (empirical bias correction; Nagel et al., Data-Free Quantization, 2019, section 4.2.1, appendix D).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgeopt.evaluate import rounding
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.lockstep import Lockstep
from edgeopt.evaluate.observe import Overlay
from edgeopt.evaluate.parallel import side_by_side
from edgeopt.forms.moments import Moments, MomentSum, columns, cut, grouped, sampled_rows, ungrouped
from edgeopt.ir import Array, Graph, Node
from edgeopt.ops.grid import LIMITS, Quantizer, quantizer
from edgeopt.ops.grids import QuantizedWeight, quantizable_nodes, round_weight, weight_axis
from edgeopt.progress import each

MAX_ROUNDED_COLUMNS = 4608  # inputs of an output channel (512 x 3 x 3); more take too long; chosen by hand
NEIGHBOURS = 2304  # columns of a layer with more, whose products with one another are all taken
BINARY_LIMITS = (-1, rounding.BINARY)


@dataclass(frozen=True)
class Repairs:
    """Which repairs are made: ``adaptive`` rounding, ``compensate`` for rounded inputs, ``correct_bias``."""

    adaptive: bool = True
    compensate: bool = True
    correct_bias: bool = True


@dataclass(frozen=True)
class Task:
    """One way to quantise a network: the element type of the codes of each layer by name, grids by value, repairs."""

    dtypes: Mapping[str, str]
    activations: Mapping[str, Quantizer]
    per_channel: bool = True
    repairs: Repairs = field(default_factory=Repairs)

    @property
    def needs_data(self) -> bool:
        """False when weights are rounded to nearest on the grid that their extremes span."""
        how, coarse = self.repairs, any(LIMITS.get(t, BINARY_LIMITS)[1] <= 1 for t in self.dtypes.values())
        return how.adaptive or how.compensate or how.correct_bias or coarse


def reconstruct(
    graph: Graph, data: DataSet, tasks: Sequence[Task], base: Overlay | None = None, under: Overlay | None = None
) -> list[dict[str, QuantizedWeight]]:
    """For each task a QuantizedWeight for each linear node that it names. All see one run of the float network.

    With ``base``, the layers see the inputs of that network. ``under`` holds weights and biases that stand in place of the
    graph's; their zeros stay zero.
    """
    under = under or Overlay()
    # Constants of a base network belong to its inputs only, so that there the float network stands for all.
    grids = [{}, *(dict(t.activations) for t in tasks)]
    overlays = [Overlay(dict(under.constants), g) for g in grids] if base is None else [base]
    made: list[dict[str, QuantizedWeight]] = [{} for _ in tasks]
    with Lockstep(graph, data, overlays) as runs:
        for node in each(quantizable_nodes(graph)):
            chosen = [i for i, task in enumerate(tasks) if node.name in task.dtypes]
            for i in chosen:
                if not tasks[i].needs_data:
                    weight = under.constants.get((node.name, 1))
                    made[i][node.name] = round_weight(node, tasks[i].dtypes[node.name], tasks[i].per_channel, weight)
            wanted = [i for i in chosen if tasks[i].needs_data]
            if not wanted:
                continue
            moments = _moments(node, runs, len(data), {i: tasks[i].repairs.compensate for i in wanted} if base is None else {})
            work = [(node, moments[i if base is None else 0], tasks[i], under) for i in wanted]
            for i, result in zip(wanted, side_by_side(_layer, work), strict=True):
                made[i][node.name] = result
                if base is None:
                    _override(node, result, overlays[1 + i])
    return made


def _moments(node: Node, runs: Lockstep, samples: int, wanted: Mapping[int, bool]) -> dict[int, Moments]:
    """The Moments of what each wanted task gives to ``node``; without any, those of the float run, as number 0.

    ``wanted`` says of each task whether it needs the product with the inputs in float.
    """
    sums = {i: MomentSum(cross) for i, cross in (wanted or {0: False}).items()}

    def rows(batch: int, inputs: list[Array]) -> list[Array]:
        chosen = [inputs[0], *(inputs[1 + i] for i in wanted)]
        return [cut(part, _parts(node)) for part in sampled_rows(node, chosen, samples, batch)]

    for reference, *others in runs.reach(node, rows):
        for total, own in zip(sums.values(), others or [reference], strict=True):
            total.add(own, reference)
    return {i: total.result() for i, total in sums.items()}


def _parts(node: Node) -> int:
    """How many equal parts of neighbouring columns the layer is looked at in, each by itself."""
    inner = columns(node)
    if inner <= MAX_ROUNDED_COLUMNS or node.integer("group", 1) > 1:
        return 1
    return next(parts for parts in range(-(-inner // NEIGHBOURS), inner + 1) if inner % parts == 0)


def _override(node: Node, weight: QuantizedWeight, overlay: Overlay) -> None:
    overlay.constants[node.name, 1] = weight.array
    if node.input(2) is not None and weight.bias is not None:
        overlay.constants[node.name, 2] = weight.bias


def _layer(work: tuple[Node, Moments, Task, Overlay]) -> QuantizedWeight:
    node, moments, task, under = work
    weight, dtype, per_channel = under.constants.get((node.name, 1), node.constant(1)), task.dtypes[node.name], task.per_channel
    assert weight is not None
    rows = grouped(node, weight)
    codes, scale = _codes(rows, moments, LIMITS.get(dtype, BINARY_LIMITS)[1], _sharing(node, per_channel), task.repairs)
    codes = np.where(rows.any(axis=2, keepdims=True), codes, 0.0)  # signs alone would make something of a channel of zeros
    axis = weight_axis(node) if per_channel else None
    dtype = "int2" if dtype == "binary" else dtype
    steps = (scale[:1] if node.op == "ConvTranspose" else scale).reshape(-1) if per_channel else scale.reshape(-1)[0]
    grid = quantizer(dtype, steps, np.zeros(np.shape(steps), np.int32), axis, narrow=True)
    result = ungrouped(node, codes, weight.shape).astype(np.int32)
    bias = under.constants.get((node.name, 2), node.constant(2)) if task.repairs.correct_bias else None
    bias = bias if bias is None else _bias(bias, rows, codes * scale[:, :, None], moments)
    return QuantizedWeight(result, grid, bias)


def _sharing(node: Node, per_channel: bool) -> tuple[int, ...]:
    """The axes of [groups, outputs] along which outputs share a scale."""
    if per_channel:
        return (0,) if node.op == "ConvTranspose" else ()
    return (0, 1)


def _codes(rows: Array, moments: Moments, limit: int, shared: tuple[int, ...], repairs: Repairs) -> tuple[Array, Array]:
    h, parts = rounding.damped(moments.own), len(moments.own) // len(rows)
    target = rows
    if repairs.compensate and moments.cross is not None:  # without float inputs apart, there is nothing to make up for
        # Damping towards E[y x^T] = E[x x^T] keeps directions without evidence as they are.
        cross = moments.cross + (h - moments.own)
        made = np.linalg.solve(h.transpose(0, 2, 1), (cut(rows, parts) @ cross).transpose(0, 2, 1))
        target = made.transpose(0, 2, 1) if parts == 1 else made.reshape(1, -1, rows.shape[1]).transpose(0, 2, 1)
    importance = np.einsum("gkk->gk", h).reshape(len(rows), -1)
    bound = rounding.best_bound(target, importance, limit) if repairs.adaptive or limit <= 1 else np.abs(target).max(axis=2)
    if shared == (0, 1):
        bound = np.full(bound.shape, np.abs(target).max() if limit > 1 else bound.mean())
    elif shared:
        bound = np.broadcast_to(bound.max(axis=shared, keepdims=True), bound.shape)
    scale = np.where(bound > 0, bound / max(limit, 1), 1.0).astype(np.float32).astype(np.float64)
    kept = (rows != 0) | (limit == rounding.BINARY)
    if not repairs.adaptive or rows.shape[2] > MAX_ROUNDED_COLUMNS:
        return rounding.nearest(target / scale[:, :, None], limit) * kept, scale
    codes = rounding.round_with_feedback(target, h, scale, limit, kept)
    return rounding.descend(target, codes, h, scale, limit, kept), scale


def _bias(bias: Array, rows: Array, made: Array, moments: Moments) -> Array:
    """The bias plus the mean of what the layer lost."""
    means = [mean.reshape(len(rows), -1) for mean in (moments.reference_mean, moments.mean)]
    lost = np.einsum("grk,gk->gr", rows, means[0]) - np.einsum("grk,gk->gr", made, means[1])
    return np.asarray(bias + lost.reshape(-1), np.float32)
