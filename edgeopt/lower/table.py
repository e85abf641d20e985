"""The one table of kernels: it feeds selection, tests and benchmarks. The first entry that serves a node is taken."""

from __future__ import annotations

from edgeopt.kernels.call import Kernel

TABLE: tuple[Kernel, ...] = ()
