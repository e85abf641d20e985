"""The sample of a self-test, and what the network makes of it on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgeopt.assembly import assemble
from edgeopt.evaluate.data import DataSet, admit, generated, read
from edgeopt.ir import Array, Graph
from edgeopt.ir.clone import clone
from edgeopt.runtime.interface import to_codes
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.self_test import self_test
from edgeopt.target import host


def first_sample(graph: Graph, data: DataSet | str | Path | None) -> Mapping[str, Array]:
    """The first sample of ``data``, or a made-up one. Raises EdgeoptError when the data do not fit the graph."""
    if data is None:
        return generated(graph, 1).arrays
    found = read(data, graph) if isinstance(data, (str, Path)) else admit(data, graph)
    return found.take(slice(0, 1)).arrays


def add_self_test(model: CompiledModel, sample: Mapping[str, Array]) -> None:
    """Add ``NAME_self_test.c`` to the files of a C library: the ``sample``, and what exact code for this machine makes of it."""
    outputs = to_codes(assemble(clone(model.graph), host()).run(sample), model.manifest)
    inputs = to_codes(sample, model.manifest)
    model.files[f"{model.manifest['name']}_self_test.c"] = self_test(model.manifest, inputs, outputs).encode()
