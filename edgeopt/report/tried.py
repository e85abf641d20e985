"""The networks that a joint search measured, in the plane of what they take and how good they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgeopt.report.lines import Axis
from edgeopt.report.scatter import Dot, scatter

UNITS = {"latency": ("ms", 1e3), "size": ("kB of constants", 1e-3)}
SHOWN = 20.0  # points below the exact network, beyond which a picture would show little else
NAMES = ("tried", "exact network", "chosen")


def tried(found: Sequence[Mapping[str, float]], metric: str) -> str:
    """Two pictures of the ``metric``: against time and against bytes.

    The first of ``found`` is the exact network, the last one the chosen. What all networks take the same of is not drawn.
    """
    least = found[0]["metric"] - SHOWN
    below = sum(p["metric"] < least for p in found)
    left = f"; {below} below {least:.0f} % {'is' if below == 1 else 'are'} not drawn" if below else ""
    parts = [f'<p class="about">sums over layers; the line joins those that no other one beats in both{left}</p>']
    for name, (unit, factor) in UNITS.items():
        if len(found) > 1 and len({f"{p[name]:.6g}" for p in found}) == 1:
            continue
        kinds = [1, *[0] * (len(found) - 2), 2] if len(found) > 1 else [1]
        dots = [
            Dot(factor * p[name], p["metric"], f"{p['metric']:.2f} %, {factor * p[name]:.4g} {unit}", kind)
            for p, kind in zip(found, kinds, strict=True)
            if p[name] > 0 and p["metric"] >= least
        ]
        parts.append(scatter(dots, Axis(unit, True), Axis(f"{metric}, %"), NAMES))
    return "".join(parts)
