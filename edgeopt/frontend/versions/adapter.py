"""An operator whose meaning changed: up to which operator set it meant what, and when that makes a difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgeopt.ir import Node
from edgeopt.ops.definition import Build

ANY_VERSION = 2**31


@dataclass(frozen=True)
class Adapter:
    """``build`` gives the meaning of nodes of operator sets below ``below`` for which ``when`` holds."""

    below: int
    build: Build
    when: Callable[[Node], bool] = lambda node: True
