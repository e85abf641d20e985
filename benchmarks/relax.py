"""TVM's own way of a network, untuned: its importer of ONNX, its usual passes, one build for this processor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx

from edgeopt.codegen.tvm_extra import require_extra
from edgeopt.examine.engines import Inference
from edgeopt.ir import Array
from edgeopt.target import target


def relax(path: Path, inputs: Mapping[str, Array]) -> Inference:
    """``path`` through ``relax.frontend.onnx``, ready to run on one thread; its schedules are what an untuned build has."""
    require_extra()
    import tvm
    from tvm.relax import VirtualMachine
    from tvm.relax.frontend.onnx import from_onnx

    host = target("host")
    features = [feature for feature in host.features.split(",") if feature]
    how = tvm.target.Target({"kind": "llvm", "mtriple": host.triple, "mcpu": host.cpu, "mattr": features})
    module = from_onnx(onnx.load(path), {name: list(array.shape) for name, array in inputs.items()})
    machine = VirtualMachine(tvm.compile(module, target=how), tvm.cpu())
    given = [tvm.runtime.tensor(np.ascontiguousarray(array)) for array in inputs.values()]

    def run() -> list[Array]:
        made = machine["main"](*given)
        return [each.numpy() for each in (made if hasattr(made, "__len__") and not hasattr(made, "numpy") else [made])]

    return run
