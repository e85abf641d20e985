"""What other tools make of an ONNX file, as points to hold a front against: files, how they are run, what they take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.engines import least_in_turns
from benchmarks.quantization_peer import Settings, quantize_file
from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet
from edgeopt.examine.engines import Inference, onnxruntime, openvino
from edgeopt.ir import Array

ROUNDS = 40  # turns of each network
Engine = Callable[[Path, Mapping[str, Array], int], Inference]
Maker = Callable[[Path, Path, DataSet], None]


@dataclass(frozen=True)
class Network:
    """A network that runs: ``decide`` gives the class of each sample, ``once`` an inference of one; ``bytes`` as stored."""

    name: str
    bytes: int
    decide: Callable[[DataSet], Array]
    opened: Callable[[Mapping[str, Array]], Callable[[], object]]


def peers(model: Path, calibration: DataSet, folder: Path) -> tuple[list[Network], dict[str, str]]:
    """(what other tools make of ``model``, each by the engines that run it; the reason of each that is left out)."""
    made, left = [], dict[str, str]()
    for name, make, engines in RECIPES:
        path = folder / f"{name.replace(' ', '-')}.onnx"
        try:
            if not path.exists():
                make(model, path, calibration)
        except Exception as error:  # a tool that is absent or refuses the model is reported, not fatal
            left[name] = _reason(error)
            path.unlink(missing_ok=True)
            continue
        for engine in engines:
            try:
                network = _network(name, path, engine)
                network.decide(calibration.subset(2))
                made.append(network)
            except Exception as error:  # nor is an engine
                left[f"{name}, run by {engine.__name__}"] = _reason(error)
    return made, left


def _reason(error: Exception) -> str:
    """One line; of a package that is missing what to install."""
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed: pip install {str(error.name).split('.')[0]}"
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:160]}"


def _network(name: str, path: Path, engine: Engine) -> Network:
    def decide(data: DataSet) -> Array:
        one = {key: np.empty_like(array[:1]) for key, array in data.arrays.items()}
        run, rows = engine(path, one, 1), []
        for sample in range(len(data)):
            for key, array in one.items():
                array[...] = data.arrays[key][sample : sample + 1]
            rows.append(np.array(run()[0]))
        return metrics.decisions(np.concatenate(rows))

    return Network(f"{name}, {engine.__name__}", path.stat().st_size, decide, lambda one: engine(path, one, 1))


def _float(model: Path, path: Path, calibration: DataSet) -> None:
    path.write_bytes(model.read_bytes())


def _static_int8(model: Path, path: Path, calibration: DataSet) -> None:
    """onnxruntime's own: QDQ, weights int8 per channel."""
    quantize_file(model, path, calibration, Settings())


def _static_int8_signed(model: Path, path: Path, calibration: DataSet) -> None:
    quantize_file(model, path, calibration, Settings(signed=True))


def _nncf(model: Path, path: Path, calibration: DataSet) -> None:
    """NNCF's post-training quantization with its defaults."""
    import nncf
    import onnx

    def samples() -> Iterator[dict[str, Array]]:
        yield from ({key: v[i : i + 1] for key, v in calibration.arrays.items()} for i in range(len(calibration)))

    onnx.save(nncf.quantize(onnx.load(model), nncf.Dataset(list(samples()))), path)


def _simplified(model: Path, path: Path, calibration: DataSet) -> None:
    import onnx
    import onnxsim

    simple, right = onnxsim.simplify(onnx.load(model))
    if not right:
        raise ValueError("onnxsim says that its result differs")
    onnx.save(simple, path)


def _half(model: Path, path: Path, calibration: DataSet) -> None:
    """Simplified, then in half precision between float inputs and outputs."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    _simplified(model, path, calibration)
    onnx.save(convert_float_to_float16(onnx.load(path), keep_io_types=True), path)


RECIPES: Sequence[tuple[str, Maker, Sequence[Engine]]] = (
    ("float32", _float, (onnxruntime, openvino)),
    ("static int8", _static_int8, (onnxruntime,)),
    ("static int8 signed", _static_int8_signed, (onnxruntime,)),
    ("NNCF int8", _nncf, (openvino, onnxruntime)),
    ("onnxsim float32", _simplified, (onnxruntime, openvino)),
    ("onnxsim float16", _half, (onnxruntime, openvino)),
)


def seconds(networks: Sequence[Network], sample: Mapping[str, Array]) -> list[float]:
    """The least time of an inference of each network on one thread, in turns."""
    return least_in_turns([network.opened(sample) for network in networks], ROUNDS)
