"""Real networks: the optimised graph, exported, against the original in onnxruntime with all its optimisations off."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgeopt.frontend import export, load
from edgeopt.interpret import interpret
from edgeopt.ir import Array, Graph
from edgeopt.pipeline import optimize
from tests.passes.checks import same_numbers

SHAPES = {"silero_vad_v5": {"input": (1, 576), "state": (2, 1, 128), "sr": ()}}
MODELS = (
    "models/lenet300_100_mnist",
    "models/lenet5_mnist",
    "models/mlperf_ic_resnet8_cifar10",
    "models/mlperf_kws_dscnn",
    "models/mobilenet_v1_0.25_224_imagenet",
    "models/mobilenet_v2_1.0_224_imagenet_dequant_ptq_i8",
    "models/resnet20_cifar10",
    "models/squeezenet_v1.0_deepcompressed_imagenet",
    "coverage/coral_movenet",
    "coverage/dtln_model_1_lstm",
    "coverage/fastestdet_coco",
    "coverage/mediapipe_face_detection_short_range",
    "coverage/mediapipe_face_landmark",
    "coverage/mnist_cntk",
    "coverage/tract_qlstm",
    "coverage/ultralight_face_RFB320",
    "coverage/yunet_n_320",
)
AVOIDABLE = {"BatchNormalization", "Relu", "Clip", "Conv", "Gemm", "MatMul", "Shape", "Gather", "Cast", "Unsqueeze", "Flatten"}
CONVOLUTIONAL = (
    "coverage/mediapipe_face_detection_short_range",
    "coverage/mediapipe_face_landmark",
    "coverage/mnist_cntk",
    "coverage/ultralight_face_RFB320",
    "coverage/yunet_n_320",
)
LEFT = {
    "models/lenet300_100_mnist": {"Reshape": 1, "FusedGemm": 3},
    "models/lenet5_mnist": {"FusedConv": 2, "MaxPool": 2, "Reshape": 1, "FusedGemm": 2},
    "models/mlperf_ic_resnet8_cifar10": {
        "Transpose": 1, "FusedConv": 9, "GlobalAveragePool": 1, "Reshape": 1, "FusedGemm": 1, "Softmax": 1,
    },
    "models/mlperf_kws_dscnn": {"Reshape": 2, "FusedConv": 9, "GlobalAveragePool": 1, "FusedGemm": 1, "Softmax": 1},
    "models/mobilenet_v1_0.25_224_imagenet": {"FusedConv": 28, "GlobalAveragePool": 1, "Reshape": 1},
    "models/mobilenet_v2_1.0_224_imagenet_dequant_ptq_i8": {"FusedConv": 53, "GlobalAveragePool": 1, "Reshape": 1},
    "models/resnet20_cifar10": {"FusedConv": 19, "Slice": 2, "Pad": 2, "GlobalAveragePool": 1, "Reshape": 1, "FusedGemm": 1},
    "models/squeezenet_v1.0_deepcompressed_imagenet": {
        "FusedConv": 26, "MaxPool": 3, "Concat": 8, "GlobalAveragePool": 1, "Reshape": 1,
    },
}  # fmt: skip


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of the inputs with every unknown dimension 1."""
    graph = onnx.load(path, load_external_data=False).graph
    constants = {tensor.name for tensor in graph.initializer}
    return {
        value.name: tuple(d.dim_value if d.dim_value > 0 else 1 for d in value.type.tensor_type.shape.dim)
        for value in graph.input
        if value.name not in constants
    }


def _load(models: Path, name: str) -> tuple[Path, Graph]:
    path = models / f"{name}.onnx"
    if not path.is_file():
        pytest.skip(f"{path.name} is not in the folder of models")
    return path, load(path, SHAPES.get(path.stem, _shapes(path)))


def _inputs(graph: Graph) -> dict[str, Array]:
    generator, result = np.random.default_rng(0), {}
    for value in graph.inputs:
        assert value.type is not None
        wide = value.type.dtype == "float32"
        array = generator.standard_normal(value.type.dims) if wide else generator.integers(0, 255, value.type.dims)
        result[value.name] = np.asarray(array, value.type.dtype)
    return result


def _run(model: bytes, inputs: dict[str, Array]) -> dict[str, Array]:
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 2
    session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, inputs), strict=True))


@pytest.mark.parametrize("name", MODELS)
def test_numbers_stay(models: Path, name: str) -> None:
    path, graph = _load(models, name)
    inputs = _inputs(graph)
    expected = _run(path.read_bytes(), inputs)
    optimize(graph)
    exported = export(graph)
    onnx.checker.check_model(exported)
    same_numbers(expected, _run(exported.SerializeToString(), inputs))
    text = str(graph)
    assert optimize(graph).count == 0
    assert str(graph) == text


def test_numbers_stay_where_one_branch_never_fits(models: Path) -> None:
    """Silero's branch for 8 kHz cannot run on frames of 16 kHz; onnxruntime refuses to load it once its shapes are known."""
    path, graph = _load(models, "coverage/silero_vad_v5")
    inputs = {**_inputs(graph), "sr": np.array(16000, np.int64)}
    expected = _run(path.read_bytes(), inputs)
    optimize(graph)
    same_numbers(expected, interpret(graph, inputs))


@pytest.mark.parametrize("name", LEFT)
def test_nothing_avoidable_is_left(models: Path, name: str) -> None:
    _, graph = _load(models, name)
    optimize(graph)
    assert Counter(node.op for node in graph.nodes) == LEFT[name]


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_all_convolutions_and_activations_are_fused(models: Path, name: str) -> None:
    _, graph = _load(models, name)
    optimize(graph)
    assert not {node.op for node in graph.nodes} & AVOIDABLE
