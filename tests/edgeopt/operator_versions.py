"""Small nodes of every operator whose meaning or form depends on the operator set, and the models that hold many of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, helper, numpy_helper

LATEST = 25  # of onnxruntime 1.32 and its peers; newer versions have ONNX's own node tests
RANDOM = np.random.default_rng(9)
Arrays = Sequence[Any]


@dataclass(frozen=True)
class Constant:
    """An input that is an initializer."""

    array: Any


@dataclass(frozen=True)
class Case:
    """One node in a form that the operator sets ``first`` to ``last`` allow. An input is an array, a Constant or None."""

    op: str
    inputs: Arrays
    attributes: Mapping[str, Any] = field(default_factory=dict)
    first: int = 7
    last: int = LATEST
    outputs: int = 1

    def versions(self) -> list[int]:
        """The operator sets at which a schema of the operator begins, within the limits of this form."""
        starts = {max(version, self.first) for version in schema_versions(self.op)}
        return sorted(v for v in starts if self.first <= v <= self.last)


@lru_cache
def schema_versions(op: str) -> tuple[int, ...]:
    """All versions of an operator of ONNX."""
    every = onnx.defs.get_all_schemas_with_history()
    return tuple(sorted({s.since_version for s in every if s.name == op and not s.domain}))


def real(*shape: int) -> Any:
    """Normally distributed float32."""
    return RANDOM.standard_normal(shape).astype(np.float32)


def whole(*values: int) -> Constant:
    """A constant int64 vector."""
    return Constant(np.asarray(values, np.int64))


def model_of(cases: Sequence[Case], opset: int) -> tuple[ModelProto, dict[str, Any]]:
    """One model of all ``cases`` at ``opset``, its outputs named after the cases, and its inputs."""
    nodes, feeds, constants, outputs = [], {}, [], []
    for index, case in enumerate(cases):
        names = []
        for place, given in enumerate(case.inputs):
            name = f"x{index}_{place}" if given is not None else ""
            if isinstance(given, Constant):
                constants.append(numpy_helper.from_array(np.asarray(given.array), name))
            elif given is not None:
                feeds[name] = np.asarray(given)
            names.append(name)
        results = [f"{case.op}_{index}_{place}" for place in range(case.outputs)]
        nodes.append(helper.make_node(case.op, names, results, f"{case.op}_{index}", **case.attributes))
        outputs += [onnx.ValueInfoProto(name=name) for name in results]
    infos = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in feeds.items()]
    graph = helper.make_graph(nodes, "versions", infos, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), feeds


def _soft(op: str) -> list[Case]:
    return [Case(op, [real(2, 3, 4)], {"axis": axis} if axis is not None else {}) for axis in (None, 0, 1, 2)] + [
        Case(op, [real(2, 3, 4)], {"axis": -1}, first=11),
        Case(op, [real(2, 3, 4)], {"axis": -2}, first=11),
    ]


def _axes(op: str, x: Any, axes: Sequence[int], **rest: Any) -> list[Case]:
    since = 18 if op.startswith("Reduce") and op != "ReduceSum" else 13
    return [
        Case(op, [x], {"axes": list(axes), **rest}, last=since - 1),
        Case(op, [x, whole(*axes)], rest, first=since),
    ]


X4, X3 = real(1, 2, 7, 9), real(2, 3, 4)
MOVING = [
    *_soft("Softmax"),
    *_soft("LogSoftmax"),
    *_soft("Hardmax"),
    Case("Slice", [X3], {"starts": [0, -3], "ends": [1, 9], "axes": [0, 2]}, last=9),
    Case("Slice", [X3], {"starts": [1, 1], "ends": [2, -1]}, last=9),
    Case("Slice", [X3, whole(1, 1), whole(2, -1)], first=10),
    Case("Slice", [X3, whole(9), whole(-9), whole(2), whole(-2)], first=10),
    Case("Pad", [X3], {"pads": [0, 1, 2, 0, 0, -1], "value": 1.5}, last=10),
    Case("Pad", [X3], {"pads": [0, 1, 2, 0, 0, 1], "mode": "reflect"}, last=10),
    Case("Pad", [X3], {"pads": [0, 1, 2, 0, 0, 1], "mode": "edge"}, last=10),
    Case("Pad", [X3, whole(0, 1, 2, 0, 0, -1), Constant(np.float32(1.5))], first=11),
    Case("Split", [X3], {"axis": 2, "split": [1, 3]}, last=12, outputs=2),
    Case("Split", [X3], {"axis": 1}, last=12, outputs=3),
    Case("Split", [X3, whole(1, 3)], {"axis": 2}, first=13, outputs=2),
    Case("Split", [X3], {"axis": 2, "num_outputs": 3}, first=18, outputs=3),
    *_axes("Squeeze", real(1, 3, 1), [2]),
    *_axes("Unsqueeze", X3, [0, 2]),
    Case("Squeeze", [real(1, 3, 1)]),
    *_axes("ReduceSum", X3, [0, 2], keepdims=0),
    Case("ReduceSum", [X3]),
    *[case for op in ("ReduceMean", "ReduceMax", "ReduceL2", "ReduceLogSumExp") for case in _axes(op, X3, [1])],
    Case("TopK", [X3], {"k": 2}, last=9, outputs=2),
    Case("TopK", [X3], {"k": 2, "axis": 1}, last=9, outputs=2),
    Case("TopK", [X3, whole(2)], {"axis": 1}, first=10, outputs=2),
    Case("Clip", [X3], {"min": -0.5, "max": 0.5}, last=10),
    Case("Clip", [np.asarray([np.inf, -np.inf, 1, -2], np.float32)], {"min": -1.0}, last=10),
    Case("Clip", [np.asarray([np.inf, -np.inf, 1, -2], np.float32)], last=10),
    Case("Clip", [X3, Constant(np.float32(-0.5)), None], first=11),
    Case("Dropout", [X3], {"ratio": 0.3}, last=11),
    Case("Dropout", [X3], {"ratio": 0.3}, first=10, last=11, outputs=2),
    Case("Dropout", [X3], first=12, outputs=2),
    Case("Upsample", [X4], {"scales": [1.0, 1.0, 2.0, 3.0]}, last=8),
    Case("Upsample", [X4], {"scales": [1.0, 1.0, 2.0, 3.0], "mode": "linear"}, last=8),
    *[
        Case(op, [X4, Constant(np.asarray([1, 1, *s], np.float32))], {"mode": mode}, first, last)
        for op, first, last in (("Upsample", 9, 9), ("Resize", 10, 10))
        for mode in ("nearest", "linear")
        for s in ((2, 3), (1.5, 2.5))
    ],
    *[
        Case("Resize", [X4, Constant(np.asarray([1, 1, *s], np.float32))], {"mode": mode}, 10, 10)
        for mode in ("nearest", "linear")
        for s in ((0.6, 0.4), (0.5, 2.0))
    ],
    *[
        Case("Resize", [X4, roi, Constant(np.asarray([1, 1, 2.5, 0.6], np.float32))], {"mode": m, **kind}, first)
        for first, roi in ((11, Constant(np.zeros(0, np.float32))), (13, None))
        for m in ("nearest", "linear", "cubic")
        for kind in (
            {},
            {"coordinate_transformation_mode": "align_corners"},
            {"coordinate_transformation_mode": "pytorch_half_pixel"},
        )
    ],
    Case("Scatter", [X3, whole_matrix := Constant(np.asarray([[[1, 0]]], np.int64)), real(1, 1, 2)], {"axis": 1}, 9, 10),
    Case("ScatterElements", [X3, whole_matrix, real(1, 1, 2)], {"axis": 1}, 11),
]
WINDOWS = [
    Case("MaxPool", [X4], {"kernel_shape": [2, 2], "strides": [3, 3], "ceil_mode": 1}, 10),
    Case("MaxPool", [X4], {"kernel_shape": [3, 2], "strides": [3, 2], "ceil_mode": 1, "dilations": [1, 2]}, 10),
    Case("MaxPool", [X4], {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [1, 0, 0, 1]}, 8, outputs=2),
    *[
        Case("AveragePool", [X4], {"kernel_shape": k, "strides": [3, 3], "ceil_mode": 1, "count_include_pad": c, "pads": p}, 10)
        for k in ([2, 2], [4, 3])
        for c in (0, 1)
        for p in ([0, 0, 0, 0], [1, 1, 0, 1])
    ],
    Case("AveragePool", [X4], {"kernel_shape": [3, 3], "auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    Case("LpPool", [X4], {"kernel_shape": [2, 3], "strides": [2, 2], "p": 1}),
    *[
        Case("ConvTranspose", [real(1, 2, 3, 4), Constant(real(2, 3, k, k))], {"strides": [2, 2], "auto_pad": mode, **extra})
        for mode in ("SAME_UPPER", "SAME_LOWER", "VALID")
        for k in (2, 3)  # of a kernel smaller than its stride onnxruntime computes fewer outputs than ONNX says
        for extra in ({}, {"output_padding": [1, 1]})
    ],
    Case("Conv", [X4, Constant(real(3, 2, 3, 3))], {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
]
POSITIVE = Constant(np.abs(real(2)) + 0.5)
NORMALIZING = [
    Case("BatchNormalization", [X4, *[Constant(real(2)) for _ in range(3)], POSITIVE], {"epsilon": 1e-3}),
    Case("BatchNormalization", [X4, *[Constant(real(2)) for _ in range(3)], POSITIVE], {"spatial": 1}, last=8),
    Case("BatchNormalization", [real(3, 2), *[Constant(real(2)) for _ in range(3)], POSITIVE], {"spatial": 0}, last=8),
    Case("InstanceNormalization", [X4, Constant(real(2)), Constant(real(2))]),
    Case("MeanVarianceNormalization", [X4], first=9),
    Case("MeanVarianceNormalization", [X4], {"axes": [2, 3]}, 9),
    Case("GroupNormalization", [real(2, 6, 3, 3), Constant(real(3)), Constant(real(3))], {"num_groups": 3}, 18, 20),
    Case("GroupNormalization", [real(2, 6, 3, 3), Constant(real(6)), Constant(real(6))], {"num_groups": 3}, 21),
    Case("LayerNormalization", [X3, Constant(real(4)), Constant(real(4))], first=17),
    Case("LRN", [X4], {"size": 3}),
    Case("LpNormalization", [X3], {"axis": 1, "p": 1}),
]
LEFT, RIGHT = np.asarray([[1, 2, 3], [-2, 5, 0]], np.int64), np.asarray([[2, 0, 3]], np.int64)
ELEMENTWISE = [
    *[Case(op, [X3, real(3, 1)]) for op in ("Add", "Sub", "Mul", "Div", "PRelu")],
    *[Case(op, [X3, real(3, 1)], first=8) for op in ("Sum", "Max", "Min", "Mean")],
    *[Case(op, [X3, real(2, 3, 4)]) for op in ("Greater", "Less")],
    *[Case(op, [LEFT, RIGHT]) for op in ("Equal", "Add", "Mul")],
    Case("Pow", [np.abs(X3), real(3, 1)]),
    Case("Pow", [LEFT, np.asarray([2.5, 1.5, 0.5], np.float32)], first=12),
    Case("Pow", [np.abs(X3), RIGHT.reshape(3, 1)], first=12),
    Case("Mod", [LEFT, np.asarray([[2], [3]], np.int64)], first=10),
    Case("Cast", [X3 * 3], {"to": onnx.TensorProto.INT32}),
    Case("Cast", [X3 * 3], {"to": onnx.TensorProto.FLOAT16}),
    *[Case(op, [X3]) for op in ("Relu", "Sigmoid", "Tanh", "Elu", "Selu", "Softplus", "Softsign", "LeakyRelu", "HardSigmoid")],
    *[Case(op, [X3]) for op in ("Abs", "Neg", "Exp", "Floor", "Ceil", "Identity", "Reciprocal", "Sin", "Cos", "Tan", "Atan")],
    *[Case(op, [X3], first=9) for op in ("Sinh", "Cosh", "Asinh", "Erf", "Sign", "IsNaN")],
    Case("Round", [np.asarray([0.5, 1.5, -2.5, 2.4], np.float32)], first=11),
    Case("HardSwish", [X3], first=14),
    Case("Celu", [X3], {"alpha": 0.7}, 12),
    Case("ThresholdedRelu", [X3], {"alpha": 0.7}, 10),
    Case("IsInf", [np.asarray([np.inf, -np.inf, np.nan, 1], np.float32)], first=10),
    Case("Where", [X3 > 0, X3, real(4)], first=9),
    Case("And", [X3 > 0, X3 > 1]),
    Case("Not", [X3 > 0]),
]
TIES = np.asarray([[2, 1, 2, 1], [0, 0, 0, 0]], np.float32)
MOVEMENT = [
    *[Case(op, [TIES], {"axis": 1, "keepdims": 0}) for op in ("ArgMax", "ArgMin")],
    *[Case(op, [TIES], {"axis": 1, "select_last_index": 1}, 12) for op in ("ArgMax", "ArgMin")],
    Case("TopK", [TIES, whole(3)], {"largest": 0}, 11, outputs=2),
    Case("TopK", [TIES, whole(3)], first=10, outputs=2),
    Case("Gemm", [real(3, 4), Constant(real(5, 4)), Constant(real(5))], {"transB": 1, "alpha": 0.5}),
    Case("Gemm", [real(3, 4), Constant(real(4, 5))], first=11),
    Case("MatMul", [X3, real(4, 5)]),
    Case("Flatten", [X3], {"axis": 2}),
    Case("Flatten", [X3], {"axis": -1}, 11),
    Case("Concat", [X3, real(2, 1, 4)], {"axis": 1}),
    Case("Reshape", [X3, whole(0, -1)]),
    Case("Transpose", [X3], {"perm": [2, 0, 1]}),
    Case("Tile", [X3, whole(1, 2, 1)]),
    Case("Expand", [real(3, 1), whole(2, 3, 4)], first=8),
    Case("Gather", [X3, whole(2, 0)], {"axis": 1}),
    Case("Gather", [X3, whole(-1, 0)], {"axis": 1}, 11),
    Case("GatherElements", [X3, Constant(np.asarray([[[1, -1, 0, 2]], [[0, 0, 1, -2]]], np.int64))], {"axis": 1}, 11),
    Case("GatherND", [X3, Constant(np.asarray([[1, 2], [0, 0]], np.int64))], first=11),
    Case("GatherND", [X3, Constant(np.asarray([[1], [0]], np.int64))], {"batch_dims": 1}, 12),
    Case("ScatterND", [X3, Constant(np.asarray([[1, 2], [0, 0]], np.int64)), real(2, 4)], first=11),
    Case("ScatterND", [X3, Constant(np.asarray([[1, 2], [0, 0]], np.int64)), real(2, 4)], {"reduction": "max"}, 18),
    Case("Shape", [X3]),
    Case("Shape", [X3], {"start": 1}, 15),
    Case("Size", [X3]),
    Case("DepthToSpace", [real(1, 8, 2, 3)], {"blocksize": 2}),
    Case("DepthToSpace", [real(1, 8, 2, 3)], {"blocksize": 2, "mode": "CRD"}, 11),
    Case("SpaceToDepth", [real(1, 2, 4, 6)], {"blocksize": 2}),
    Case("CumSum", [X3, Constant(np.asarray(1, np.int64))], {"exclusive": 1, "reverse": 1}, 11),
    Case(
        "OneHot",
        [np.asarray([1, 0, 2], np.int64), Constant(np.asarray(4, np.int64)), Constant(np.asarray([2, 5], np.float32))],
        first=9,
    ),
    Case("GridSample", [X4, real(1, 3, 3, 2)], {"mode": "bilinear"}, 16, 19),
    Case("GridSample", [X4, real(1, 3, 3, 2)], {"mode": "linear"}, 20),
    Case(
        "RoiAlign",
        [X4, Constant(np.asarray([[0.5, 0.5, 5, 6]], np.float32)), whole(0)],
        {"output_height": 3, "output_width": 2},
        10,
        21,
    ),
    Case("GlobalAveragePool", [X4]),
    Case("GlobalMaxPool", [X4]),
    Case("LSTM", [real(3, 2, 4), Constant(real(1, 12, 4)), Constant(real(1, 12, 3))], {"hidden_size": 3}, outputs=3),
    Case("GRU", [real(3, 2, 4), Constant(real(1, 9, 4)), Constant(real(1, 9, 3))], {"hidden_size": 3}, outputs=2),
    Case(
        "GRU",
        [real(3, 2, 4), Constant(real(1, 9, 4)), Constant(real(1, 9, 3)), Constant(real(1, 18))],
        {"hidden_size": 3, "linear_before_reset": 1},
    ),
]
CASES: list[Case] = [*MOVING, *WINDOWS, *NORMALIZING, *ELEMENTWISE, *MOVEMENT]
