"""The compiled model: an arena, weights and native code, with the few host steps that have no kernel."""

from __future__ import annotations

import ctypes
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from onnx import ModelProto

from edgeopt import arguments
from edgeopt.codegen.adaptive import ThreadChoice
from edgeopt.codegen.native import NativeModule
from edgeopt.codegen.threads import WorkerPool
from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, Graph, Node, Value, numpy_dtype
from edgeopt.lower.layout import layout_digest
from edgeopt.lower.memory import address, aligned_bytes
from edgeopt.memory_limit import machine_memory, require
from edgeopt.ops import evaluate
from edgeopt.ops.contracts import require_arrays_fit
from edgeopt.runtime.addresses import address_of, readable
from edgeopt.runtime.claims import require_declared, require_planned
from edgeopt.runtime.express import Express, suits
from edgeopt.runtime.foreign import foreign
from edgeopt.runtime.forks import renewed_after_fork
from edgeopt.runtime.manifest import Manifest
from edgeopt.runtime.object_code import code_of, with_packed_code
from edgeopt.runtime.ports import checked, contiguous, empty, fitting, ports, sample_count
from edgeopt.runtime.reading import MODEL, RAW, WEIGHTS, Files, decoded, whole
from edgeopt.target import Target

_Named = TypeVar("_Named", Node, Value)


class CompiledModel:
    """A model ready to run.

    ``manifest`` describes inputs, outputs, memory, target, notes and fallbacks; ``files`` holds code, weights, the model as ONNX
    and, for another target, what an embedded project links; ``graph`` is the optimised graph (None until
    a host step or the exporter asks for it when the model was loaded from disk). ``weights()`` makes the block that kernels read,
    where that is not made of the file of weights; ``store(manifest)`` makes the files that are left out until they are asked for,
    ``again(manifest)`` those that are dropped once they are decoded.
    """

    def __init__(
        self,
        manifest: Manifest,
        files: Files,
        graph: Graph | None = None,
        weights: Callable[[], memoryview] | None = None,
        store: Callable[[Manifest], Files] | None = None,
        again: Callable[[Manifest], Files] | None = None,
    ) -> None:
        self.manifest, self._files, self._store, self._again, self._make_weights = manifest, files, store, again, weights
        manifest.setdefault("storage", {"coding": RAW, "tensors": [], "constants": []})
        self._graph = graph
        self._weights: memoryview | None = None
        self._native: NativeModule | None = None
        self._pool: WorkerPool | None = None
        self._express: Express | None = None
        self._choice = ThreadChoice()
        self._lock = threading.Lock()
        self.inputs, self.outputs = ports(manifest["inputs"]), ports(manifest["outputs"])
        parts = manifest["parts"]
        self._only_native = len(parts) == 1 and "last" in parts[0]
        self._last = parts[0]["last"] if self._only_native else 0
        self._output_names = [port.name for port in self.outputs]
        renewed_after_fork(self)

    def __repr__(self) -> str:
        ins, outs = (", ".join(port["name"] for port in self.manifest[side]) for side in ("inputs", "outputs"))
        return f"<CompiledModel {self.manifest['model']}: {ins} -> {outs}, for {self.manifest['target']['name']}>"

    @property
    def files(self) -> Files:
        """The files of the artifact by name, all but manifest and report."""
        if self._store is not None:
            self._files.update(self._store(self.manifest))
            self._store = None
            if self.manifest["storage"]["coding"] != RAW:
                self._files = with_packed_code(self._files)
        return self._files

    @property
    def weights(self) -> memoryview:
        """The block that kernels read, decoded at first need. Raises EdgeoptError when the file is damaged."""
        if self._weights is None:
            if self._make_weights is not None:
                self._weights = self._make_weights()
            elif self.manifest["storage"]["coding"] == RAW:
                self._weights = readable(self.files[WEIGHTS])
            else:
                self._weights = decoded(self.files[WEIGHTS], self.manifest)
                if self._again is not None:
                    del self._files[WEIGHTS]
                    self._store = self._again
        return self._weights

    @property
    def graph(self) -> Graph:
        """The optimised graph, read from the model's ONNX form at first need. Raises EdgeoptError when that was left out."""
        if self._graph is None:
            from edgeopt.frontend import load

            self._graph = load(self.onnx(), max_memory=self.manifest["memory_limit"])
        return self._graph

    def onnx(self) -> ModelProto:
        """The optimised model as ONNX, with all its tensors. Raises EdgeoptError when the artifact was saved without it."""
        if self._graph is not None:
            from edgeopt.frontend import export

            return export(self._graph)
        if MODEL not in self.files:
            raise EdgeoptError(f"the model was compiled without its {MODEL} (--no-onnx); compile it again with it")
        return whole(self.files[MODEL], self.manifest["storage"]["constants"], self.files[WEIGHTS], self.weights)

    def run(self, inputs: Mapping[str, Array], threads: int = 1) -> dict[str, Array]:
        """Outputs by name for ``inputs`` by name.

        Arrays have the compiled shapes, or a leading axis that is a multiple of the compiled batch: then the samples are run
        one batch after the other inside the native call. With several ``threads``, runs stay on one thread while others hold
        the second core (see ``edgeopt.codegen.adaptive``); the results are the same bits.
        Raises EdgeoptError for missing, unknown or misshapen inputs, and a number of threads that is none.
        """
        if type(threads) is not int or threads < 1:
            arguments.whole("threads", threads, 1)
        if type(inputs) is not dict:
            arguments.instance("inputs", inputs, (Mapping,))
        if self._express is not None and threads == 1:
            with self._lock:
                made = self._express(inputs)
            if made is not None:
                return made
        arrays, count = fitting(inputs, self.inputs), 1
        if arrays is None:
            arrays = checked(inputs, self.inputs)
            count = sample_count(arrays, self.inputs, self.outputs)
        with self._lock:
            self._prepare()
            outputs = [empty(port, count) for port in self.outputs]
            if self._only_native:
                self._call_samples(arrays, outputs, count, threads)
                return dict(zip(self._output_names, outputs, strict=True))
            results = self._run_with_host(arrays, outputs, count, threads)
        return {port.name: array for port, array in zip(self.outputs, results, strict=True) if array is not None}

    def profile(self, inputs: Mapping[str, Array], repeats: int = 20) -> list[float]:
        """The least seconds each native step took on one thread over ``repeats`` runs, in the order of manifest["kernels"].

        Raises EdgeoptError as ``edgeopt.runtime.step_clock`` does, for host steps and inputs that hold more than one batch.
        """
        from edgeopt.runtime.step_clock import StepClock

        clock = StepClock(self, inputs)
        for _ in range(repeats):
            clock.sample()
        return clock.seconds()

    @contextmanager
    def held(self, arrays: list[Array], outputs: list[Array]) -> Iterator[tuple[NativeModule, Any]]:
        """The native code and its context, bound to ``arrays`` and ``outputs``, while nobody else runs the model."""
        with self._lock:
            self._prepare()
            assert self._native is not None
            self._bind(arrays, outputs)
            yield self._native, self._context

    def save(self, directory: str | Path) -> None:
        """Write the artifact directory; see ``edgeopt.runtime.artifact``."""
        from edgeopt.runtime.artifact import save

        save(self, Path(directory))

    # -- native calls

    def _prepare(self) -> None:
        if self._native is not None:
            return
        target = Target(**self.manifest["target"])
        code = code_of(self._files) if target.runs_here else None
        if code is None:
            raise EdgeoptError(foreign(target, self.manifest))
        native = NativeModule(code, self.manifest["name"], target, layout_digest(self.manifest))
        self._constants = self.weights, address(self.weights)
        self._arena, self._scratch = self._memory("arena_bytes", 1), self._memory("scratch_bytes", max(1, target.cores))
        self._input_addresses = (ctypes.c_void_p * max(1, len(self.inputs)))()
        self._output_addresses = (ctypes.c_void_p * max(1, len(self.outputs)))()
        tables = (ctypes.addressof(self._input_addresses), ctypes.addressof(self._output_addresses))
        self._context = (ctypes.c_void_p * 5)(*tables, self._arena[1], self._constants[1], self._scratch[1])
        if self._only_native and suits(self.inputs, self.outputs):
            memory = self._arena[1], self._constants[1], self._scratch[1]
            self._express = Express(native, self.inputs, self.outputs, self._last, memory)
        self._native = native  # last, so that a failure or an interruption leaves a model that can be prepared again
        for fallback in self.manifest["fallbacks"]:
            warnings.warn(f"{fallback['op']} '{fallback['node']}' runs on the host: {fallback['reason']}", stacklevel=3)

    def _memory(self, field: str, times: int) -> tuple[memoryview, int]:
        size = self.manifest[field] * times
        require(size, machine_memory(), "the memory of the model")  # the kernel would grant it, and kill the process later
        try:
            return aligned_bytes(size)
        except (MemoryError, OverflowError, OSError, ValueError) as error:
            raise EdgeoptError(f"the model needs {size:,} bytes of memory, which this machine does not have") from error

    def renew(self) -> None:
        """In the child: the thread that holds the lock and the workers stayed in the parent."""
        self._lock = threading.Lock()
        if self._pool is not None:
            self._pool.abandon()
            self._pool = None

    def _bind(self, arrays: list[Array], outputs: list[Array]) -> None:
        """Put the addresses of inputs and outputs into the driver's context."""
        for index, (port, array) in enumerate(zip(self.inputs, arrays, strict=True)):
            self._input_addresses[index] = address_of(array) if port.placed else 0
        for index, array in enumerate(outputs):
            self._output_addresses[index] = address_of(array)

    def _call_samples(self, arrays: list[Array], outputs: list[Array], count: int, threads: int) -> None:
        assert self._native is not None
        self._bind(arrays, outputs)
        last, allowed = self._last, threads if threads == 1 else self._allowed(threads)
        if allowed <= 1:
            self._native.samples(self._context, None, count, last)
            return
        used, started = self._choice.threads(allowed), time.perf_counter()
        self._native.samples(self._context, self._workers(used), count, last)
        self._choice.record(used, (time.perf_counter() - started) / count)

    def _steps(self, first: int, last: int, threads: int) -> None:
        assert self._native is not None
        pool = self._workers(threads)
        if pool is None:
            self._native.steps(self._context, first, last)
        else:
            self._native.parallel(self._context, pool, first, last)

    def _allowed(self, threads: int) -> int:
        """``threads``. Raises EdgeoptError for more than the scratch memory was planned for."""
        limit = max(1, self.manifest["target"]["cores"])
        if threads > limit:
            raise EdgeoptError(f"{threads} threads were asked for; the model is compiled for at most {limit}")
        return threads

    def _workers(self, threads: int) -> int | None:
        """The address of a pool of ``threads`` - 1 awake workers; None for one thread. Threads are made once."""
        assert self._native is not None
        if self._allowed(threads) <= 1:
            return None
        if self._pool is None or self._pool.workers != threads - 1:
            try:
                self._pool = WorkerPool(self._native, len(self.manifest["kernels"]), threads - 1)
            except RuntimeError as error:
                raise EdgeoptError(f"{threads - 1} more threads cannot be started: {error}; ask for fewer") from error
        self._pool.wake()
        return self._pool.address

    # -- models with host steps

    def _run_with_host(self, arrays: list[Array], outputs: list[Array], count: int, threads: int) -> list[Array | None]:
        if count == 1:
            return self._run_once(arrays, outputs, threads)
        batches = [[np.split(a, count)[k] for a in arrays] for k in range(count)]
        pieces = [self._run_once(b, [np.split(o, count)[k] for o in outputs], threads) for k, b in enumerate(batches)]
        return [np.concatenate([p[i] for p in pieces if p[i] is not None]) for i in range(len(outputs))]

    def _run_once(self, arrays: list[Array], outputs: list[Array], threads: int) -> list[Array | None]:
        about = self.manifest["inputs"]
        arrays = [contiguous(a) if i["place"] else a for a, i in zip(arrays, about, strict=True)]
        self._bind(arrays, outputs)
        loose = {i["name"]: a for a, i in zip(arrays, about, strict=True) if i["place"] is None}
        for part in self.manifest["parts"]:
            if "last" in part:
                self._steps(part["first"], part["last"], threads)
            else:
                self._run_host(part, arrays, outputs, loose)
        about = self.manifest["outputs"]
        results = [loose.get(o["name"]) if o["place"] is None else a for o, a in zip(about, outputs, strict=True)]
        for output, result in zip(about, results, strict=True):
            require_declared(output, result)
        return results

    def _run_host(self, part: Manifest, arrays: list[Array], outputs: list[Array], loose: dict[str, Array]) -> None:
        node = self._node(part["node"])
        environment = {b["name"]: self._view(b, arrays, outputs, loose) for b in part["inputs"] if b is not None}
        given = [None if v is None else v.array if v.is_constant else environment[v.name] for v in node.inputs]
        require_arrays_fit(node, given)
        results = evaluate(node, given, environment)
        for binding, result in zip([b for b in part["outputs"] if b["name"]], results, strict=True):
            if binding["place"] is None:
                loose[binding["name"]] = result
            else:
                require_planned(node, binding, result)
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
        return _named(self.graph.nodes, name)

    def _constant(self, name: str) -> Array:
        return _named(self.graph.constants, name).array


def _named(found: Iterable[_Named], name: str) -> _Named:
    for one in found:
        if one.name == name:
            return one
    raise EdgeoptError(f"the compiled model needs '{name}', which is not in its {MODEL}; compile it again")
