"""Which operators a model may hold, in which versions, and what runs them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import onnx

from edgeopt.frontend.vendor import CONTRACTS, DOMAIN
from edgeopt.frontend.versions import ADAPTERS
from edgeopt.lower.table import TABLE
from edgeopt.target import Target
from edgeopt.target import target as find_target

OLDEST, NEWEST = 7, 28  # operator sets that are read
CONTROL = ("If", "Loop", "Scan", "Constant")  # jumps of the driver, and what is folded
COMMON = onnx.defs.OpSchema.SupportType.COMMON
NATIVE, HOST, REFUSED = "native", "host", "refused"


@dataclass(frozen=True)
class Operator:
    """One operator. ``versions`` are the operator sets that changed it, among those that are read; none of a vendor's domain.

    ``runs``: ``native`` by kernels, or by other operators that mean the same (where its element types and shapes have a kernel:
    'edgeopt compile' names each node that has none); ``host`` by ONNX's reference implementation, slowly; ``refused`` in code
    for another target, which has no host.
    """

    name: str
    domain: str
    versions: tuple[int, ...]
    runs: str


def operators(target: str | Target = "host") -> list[Operator]:
    """Every operator that is read, by name. Raises EdgeoptError for an unknown ``target``."""
    facts = target if isinstance(target, Target) else find_target(target)
    other = HOST if facts.runs_here else REFUSED
    native = {name for kernel in TABLE for name in kernel.ops} | set(CONTROL) | set(ADAPTERS)
    standard = [Operator(n, "ai.onnx", v, NATIVE if n in native else other) for n, v in _versions().items()]
    return [*standard, *(Operator(name, DOMAIN, (), NATIVE) for name in sorted(CONTRACTS))]


@lru_cache(maxsize=1)
def _versions() -> dict[str, tuple[int, ...]]:
    """The versions of each standard operator: the one in force at ``OLDEST``, and those after it."""
    found: dict[str, list[int]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.since_version <= NEWEST and schema.support_level == COMMON:
            found.setdefault(schema.name, []).append(0 if schema.deprecated else int(schema.since_version))
    return {name: kept for name in sorted(found) if (kept := _read(sorted(found[name])))}


def _read(versions: list[int]) -> tuple[int, ...]:
    versions = [version for version in versions if version]
    first = max((version for version in versions if version <= OLDEST), default=0)
    return tuple(version for version in versions if version >= first)
