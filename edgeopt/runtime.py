"""The compiled model: an arena, weights and native code, with the few host steps that have no kernel."""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgeopt.codegen.native import NativeModule, aligned_bytes
from edgeopt.codegen.threads import WorkerPool
from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, Graph, Node, numpy_dtype
from edgeopt.lower.program import ALIGNMENT, aligned
from edgeopt.manifest import Manifest
from edgeopt.ops import evaluate
from edgeopt.target import Target

CODE, WEIGHTS, MODEL = "model.o", "weights.bin", "model.onnx"


class CompiledModel:
    """A model ready to run.

    ``manifest`` describes inputs, outputs, memory, target, notes and fallbacks; ``files`` holds code, weights, the model as ONNX
    and, for another target, what an embedded project links; ``graph`` is the optimised graph (None until
    a host step or the exporter asks for it when the model was loaded from disk).
    """

    def __init__(self, manifest: Manifest, files: dict[str, bytes | memoryview], graph: Graph | None = None) -> None:
        self.manifest, self.files = manifest, files
        self._graph = graph
        self._native: NativeModule | None = None
        self._pool: WorkerPool | None = None

    @property
    def graph(self) -> Graph:
        """The optimised graph, read from the model's ONNX form at first need."""
        if self._graph is None:
            from onnx import load_model_from_string

            from edgeopt.frontend import load

            self._graph = load(load_model_from_string(bytes(self.files[MODEL])))
        return self._graph

    def run(self, inputs: Mapping[str, Array], threads: int = 1) -> dict[str, Array]:
        """Outputs by name for ``inputs`` by name.

        Arrays have the compiled shapes, or a leading axis that is a multiple of the compiled batch: then the samples are run
        one batch after the other inside the native call. Raises EdgeoptError for missing, unknown or misshapen inputs.
        """
        arrays = self.checked(inputs)
        count = self.samples(arrays)
        self._prepare()
        outputs = [self._output_array(o, count) for o in self.manifest["outputs"]]
        if len(self.manifest["parts"]) == 1 and "last" in self.manifest["parts"][0]:
            self._bind(arrays, outputs)
            self._call_samples(count, threads)
            results: list[Array | None] = list(outputs)
        else:
            results = self._run_with_host(arrays, outputs, count, threads)
        return {o["name"]: r for o, r in zip(self.manifest["outputs"], results, strict=True) if r is not None}

    def save(self, directory: str | Path) -> None:
        """Write the artifact directory; see ``edgeopt.artifact``."""
        from edgeopt.artifact import save

        save(self, Path(directory))

    # -- inputs and outputs

    def checked(self, inputs: Mapping[str, Array]) -> list[Array]:
        """The inputs in the order of the model, contiguous. Raises EdgeoptError for missing, unknown or mistyped ones."""
        known = {i["name"]: i for i in self.manifest["inputs"]}
        for name in set(known) ^ set(inputs):
            what = "is missing" if name in known else "is not an input of this model"
            raise EdgeoptError(f"input '{name}' {what}; the inputs are {_signature(self.manifest['inputs'])}")
        return [_converted(inputs[name], about) for name, about in known.items()]

    def samples(self, arrays: list[Array]) -> int:
        """How many batches the inputs hold: 1, or the common multiple of the leading axis."""
        placed = [(a, i) for a, i in zip(arrays, self.manifest["inputs"], strict=True) if i["place"] is not None]
        arrays, about = [a for a, _ in placed], [i for _, i in placed]
        if all(a.shape == tuple(i["shape"]) for a, i in zip(arrays, about, strict=True)):
            return 1
        ratios = {_ratio(a.shape, tuple(i["shape"])) for a, i in zip(arrays, about, strict=True)}
        batch = about[0]["shape"][0] if about and about[0]["shape"] else None
        outputs_fit = all(o["shape"] and o["shape"][0] == batch for o in self.manifest["outputs"])
        if len(ratios) != 1 or 0 in ratios or not outputs_fit:
            got = ", ".join(f"{i['name']}{list(a.shape)}" for a, i in zip(arrays, about, strict=True))
            raise EdgeoptError(f"the inputs {got} do not fit the compiled shapes {_signature(about)}")
        return ratios.pop()

    def _output_array(self, about: Manifest, count: int) -> Array:
        shape = about["shape"]
        if about["place"] is None:
            return np.empty(0)
        return np.zeros([shape[0] * count, *shape[1:]] if count > 1 else shape, numpy_dtype(about["dtype"]))

    # -- native calls

    def _prepare(self) -> None:
        if self._native is not None:
            return
        target = Target(**self.manifest["target"])
        if CODE not in self.files or not target.is_host:
            raise EdgeoptError(f"the model is compiled for '{target.name}' and cannot run in this process; try --emulate")
        weights = self.files[WEIGHTS]
        self._native = NativeModule(bytes(self.files[CODE]), self.manifest["name"], target)
        self._arena = aligned_bytes(self.manifest["arena_bytes"])
        self._constants = _readable(weights)
        self._scratch = aligned_bytes(self.manifest["scratch_bytes"] * max(1, target.cores))
        for fallback in self.manifest["fallbacks"]:
            warnings.warn(f"{fallback['op']} '{fallback['node']}' runs on the host: {fallback['reason']}", stacklevel=3)

    def _bind(self, arrays: list[Array], outputs: list[Array]) -> None:
        """Fill the context {inputs, outputs, arena, weights, scratch} of the driver."""
        addresses = [a.ctypes.data if i["place"] else 0 for a, i in zip(arrays, self.manifest["inputs"], strict=True)]
        self._inputs = (ctypes.c_void_p * max(1, len(arrays)))(*addresses)
        self._outputs = (ctypes.c_void_p * max(1, len(outputs)))(*(a.ctypes.data for a in outputs))
        memory = (self._arena[1], self._constants[1], self._scratch[1])
        self._context = (ctypes.c_void_p * 5)(ctypes.addressof(self._inputs), ctypes.addressof(self._outputs), *memory)

    def _call_samples(self, count: int, threads: int) -> None:
        assert self._native is not None
        self._native.samples(self._context, self._workers(threads), count, self.manifest["parts"][0]["last"])

    def _steps(self, first: int, last: int, threads: int) -> None:
        assert self._native is not None
        pool = self._workers(threads)
        if pool is None:
            self._native.steps(self._context, first, last)
        else:
            self._native.parallel(self._context, pool, first, last)

    def _workers(self, threads: int) -> int | None:
        """The address of a pool of ``threads`` - 1 awake workers; None for one thread. Threads are made once."""
        assert self._native is not None
        if threads <= 1:
            return None
        limit = max(1, self.manifest["target"]["cores"])
        if threads > limit:
            raise EdgeoptError(f"{threads} threads were asked for; the model is compiled for at most {limit}")
        if self._pool is None or self._pool.workers != threads - 1:
            self._pool = WorkerPool(self._native, len(self.manifest["kernels"]), threads - 1)
        self._pool.wake()
        return self._pool.address

    # -- models with host steps

    def _run_with_host(self, arrays: list[Array], outputs: list[Array], count: int, threads: int) -> list[Array | None]:
        batches = [[np.split(a, count)[k] if count > 1 else a for a in arrays] for k in range(count)]
        pieces = [self._run_once(b, [np.split(o, count)[k] for o in outputs], threads) for k, b in enumerate(batches)]
        if count == 1:
            return pieces[0]
        return [np.concatenate([p[i] for p in pieces if p[i] is not None]) for i in range(len(outputs))]

    def _run_once(self, arrays: list[Array], outputs: list[Array], threads: int) -> list[Array | None]:
        about = self.manifest["inputs"]
        arrays = [_contiguous(a) if i["place"] else a for a, i in zip(arrays, about, strict=True)]
        self._bind(arrays, outputs)
        loose = {i["name"]: a for a, i in zip(arrays, about, strict=True) if i["place"] is None}
        for part in self.manifest["parts"]:
            if "last" in part:
                self._steps(part["first"], part["last"], threads)
            else:
                self._run_host(part, arrays, outputs, loose)
        about = self.manifest["outputs"]
        return [loose.get(o["name"]) if o["place"] is None else a for o, a in zip(about, outputs, strict=True)]

    def _run_host(self, part: Manifest, arrays: list[Array], outputs: list[Array], loose: dict[str, Array]) -> None:
        node = self._node(part["node"])
        environment = {b["name"]: self._view(b, arrays, outputs, loose) for b in part["inputs"] if b is not None}
        given = [None if v is None else v.array if v.is_constant else environment[v.name] for v in node.inputs]
        results = evaluate(node, given, environment)
        for binding, result in zip(part["outputs"], results, strict=True):
            if binding["place"] is None:
                loose[binding["name"]] = result
            else:
                self._view(binding, arrays, outputs, loose)[...] = result

    def _view(self, binding: Manifest, arrays: list[Array], outputs: list[Array], loose: dict[str, Array]) -> Any:
        if binding["place"] is None:
            return loose[binding["name"]] if binding["name"] in loose else self._constant(binding["name"])
        kind, offset = binding["place"]
        if kind == "input":
            return arrays[offset].reshape(binding["shape"])
        if kind == "output":
            return outputs[offset].reshape(binding["shape"])
        dtype, shape = numpy_dtype(binding["dtype"]), binding["shape"]
        base = self._arena if kind == "arena" else self._constants
        size = int(np.prod(shape)) * dtype.itemsize
        memory = (ctypes.c_uint8 * size).from_address(base[1] + offset)
        return np.ctypeslib.as_array(memory).view(dtype).reshape(shape)

    def _node(self, name: str) -> Node:
        return next(node for node in self.graph.nodes if node.name == name)

    def _constant(self, name: str) -> Array:
        return next(value for value in self.graph.constants if value.name == name).array


def _ratio(actual: tuple[int, ...], compiled: tuple[int, ...]) -> int:
    if len(actual) != len(compiled) or not compiled or actual[1:] != compiled[1:] or compiled[0] == 0:
        return 0
    return 0 if actual[0] % compiled[0] else actual[0] // compiled[0]


def _converted(array: Array, about: Manifest) -> Array:
    if about["place"] is None:
        return array
    wanted = numpy_dtype(about["dtype"])
    array = np.asarray(array)
    if array.dtype != wanted:
        raise EdgeoptError(f"input '{about['name']}' is {array.dtype}, the model wants {wanted}; convert it")
    return _contiguous(array)


def _readable(weights: bytes | memoryview) -> tuple[object, int]:
    """The weights and their address, copied only when they are not aligned for the kernels."""
    address = np.frombuffer(weights, np.uint8).ctypes.data if len(weights) else 0
    if address % ALIGNMENT:
        copy = aligned(len(weights))
        copy[:] = weights
        return copy, np.frombuffer(copy, np.uint8).ctypes.data
    return weights, address


def _contiguous(array: Array) -> Array:
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)  # which would give a scalar an axis


def _signature(about: list[Manifest]) -> str:
    return ", ".join(f"{i['name']}: {i['dtype']}{i['shape']}" for i in about)
