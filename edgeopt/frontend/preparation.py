"""What lies between a camera and a network, as part of the model: its input is then the buffer that a sensor fills.

The nodes that stand for it are ordinary ones, so passes fold factors and offsets into the first layer where that is exact: an
offset only where the layer pads nothing, since zeros around a prepared image are not zeros around a raw one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.notes import add_note
from edgeopt.ir import Array, Attribute, Graph, TensorType, Value

DTYPES = ("uint8", "int8", "uint16", "float32")
_CODES = {"uint8": (0, 255), "int8": (-128, 127)}
LAYOUTS = ("nhwc", "nchw")
FORM = "NAME=uint8,nhwc,mean=123.7,116.3,103.5,scale=0.0171,0.0175,0.0174,frame=480x640,crop=480x480"
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Preparation:
    """An input of the network is (pixel - ``mean``) * ``scale``, by channel or for all, of pixels of type ``dtype``.

    A buffer of ``frame`` (height, width), left out where it has the size of the network's input, is cut to ``crop`` around its
    middle and resized (linear, half pixel centres) to what the network takes.
    """

    dtype: str = "uint8"
    layout: str = "nhwc"
    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)
    frame: tuple[int, int] | None = None
    crop: tuple[int, int] | None = None


def parse_preparation(text: str) -> Preparation:
    """``"uint8,nhwc,mean=128,scale=0.0078"`` as a Preparation. Raises EdgeoptError for other words."""
    lists: dict[str, list[str]] = {}
    words: dict[str, str] = {}
    key = ""
    for part in [word.strip() for word in text.split(",") if word.strip()]:
        if part in DTYPES or part in LAYOUTS:
            word = "dtype" if part in DTYPES else "layout"
            if words.setdefault(word, part) != part:
                raise EdgeoptError(f"an input cannot be {words[word]} and {part}")
            continue
        before, equals, number = part.rpartition("=")
        key = before if equals else key
        if key not in ("mean", "scale", "std", "frame", "crop"):
            raise EdgeoptError(f"'{part}' is not known of an input; it reads {FORM}")
        lists.setdefault(key, []).append(number)
    if "std" in lists and "scale" in lists:
        raise EdgeoptError("an input has a scale or a std, its inverse; give one of them")
    scale = _numbers(lists, "scale") if "std" not in lists else tuple(1 / s for s in _numbers(lists, "std"))
    sizes = _size(lists, "frame"), _size(lists, "crop")
    return Preparation(**words, mean=_numbers(lists, "mean") or (0.0,), scale=scale or (1.0,), frame=sizes[0], crop=sizes[1])


def _numbers(lists: Mapping[str, list[str]], key: str) -> tuple[float, ...]:
    """The numbers of ``key``, of which float32 holds each; factors and their inverses, too, so none of these is 0."""
    given = f"{key}={','.join(lists.get(key, ()))}"
    try:
        found = tuple(float(number) for number in lists.get(key, ()))
    except ValueError as error:
        raise EdgeoptError(f"{given}: expected are numbers, as in {FORM}") from error
    least = 0.0 if key == "mean" else 1 / LARGEST
    if not all(least <= abs(number) <= LARGEST for number in found):
        raise EdgeoptError(f"{given}: expected are finite numbers of float32{', and none is 0' if least else ''}")
    return found


def _size(lists: Mapping[str, list[str]], key: str) -> tuple[int, int] | None:
    if key not in lists:
        return None
    height, _, width = ",".join(lists[key]).partition("x")
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise EdgeoptError(f"{key}={','.join(lists[key])}: expected are height x width, as in 480x640")
    return int(height), int(width)


def prepare_inputs(graph: Graph, wanted: Mapping[str, Preparation]) -> None:
    """Put what is ``wanted`` in front of inputs of ``graph``, whose names go to the raw ones.

    Raises EdgeoptError for a name that is no input, one that is not float32 [N, C, H, W] of known size, and for misfits.
    """
    for name, preparation in wanted.items():
        index = next((i for i, value in enumerate(graph.inputs) if value.name == name), None)
        if index is None:
            raise EdgeoptError(f"there is no input '{name}' to prepare; the inputs are {', '.join(v.name for v in graph.inputs)}")
        _prepare(graph, index, preparation)


def _prepare(graph: Graph, index: int, wanted: Preparation) -> None:
    old = graph.inputs[index]
    shape = _image(old)
    height, width = wanted.frame or shape[2:]
    raw = (shape[0], height, width, shape[1]) if wanted.layout == "nhwc" else (shape[0], shape[1], height, width)
    new = Value(old.name, TensorType(wanted.dtype, raw))
    old.name = graph.fresh(old.name)
    made = _Nodes(graph)
    value = made.op("Transpose", [new], shape[:2] + (height, width), wanted.dtype, perm=[0, 3, 1, 2]) if _turned(wanted) else new
    value = _cropped(made, value, wanted, old)
    value, mean = _numbers_of(made, value, wanted)
    if value.type is not None and value.type.dims != shape:
        value = made.op("Resize", [value, None, None, made.constant("sizes", np.array(shape, np.int64))], shape, "float32",
                        mode=b"linear", coordinate_transformation_mode=b"half_pixel")  # fmt: skip
    for op, numbers, neutral in (("Sub", mean, 0.0), ("Mul", wanted.scale, 1.0)):
        if any(number != neutral for number in numbers):
            value = made.op(op, [value, made.constant(op.lower(), _by_channel(numbers, shape[1], old))], shape, "float32")
    graph.inputs[index] = new
    graph.replace(old, value)
    add_note(graph, f"input '{new.name}' is {new.type}, prepared inside the model")


def _numbers_of(made: _Nodes, value: Value, wanted: Preparation) -> tuple[Value, tuple[float, ...]]:
    """(pixels as float32, the mean that is still to be subtracted).

    Bytes become codes on a grid of whole numbers whose zero is the mean, where that is one whole number: a quantised network
    reads them as they are or by a table, and pads them with the code of zero.
    """
    shape = value.type.dims if value.type is not None else ()
    if wanted.dtype == "float32":
        return value, wanted.mean
    limits = _CODES.get(wanted.dtype)
    if limits is None:
        return made.op("Cast", [value], shape, "float32", to=1), wanted.mean
    whole = len(set(wanted.mean)) == 1 and wanted.mean[0].is_integer() and limits[0] <= wanted.mean[0] <= limits[1]
    zero = np.asarray(wanted.mean[0] if whole else 0, wanted.dtype)
    grid = [made.constant("one", np.asarray(1, np.float32)), made.constant("zero", zero)]
    return made.op("DequantizeLinear", [value, *grid], shape, "float32"), (0.0,) if whole else wanted.mean


def _turned(wanted: Preparation) -> bool:
    return wanted.layout == "nhwc"


def _image(value: Value) -> tuple[int, int, int, int]:
    type_ = value.type
    if type_ is None or not type_.static or type_.dtype != "float32" or len(type_.dims) != 4:
        raise EdgeoptError(
            f"input '{value.name}' is {type_}; what is prepared must be float32 [N, C, H, W] (bind it with --shape)"
        )
    n, c, h, w = type_.dims
    return n, c, h, w


def _by_channel(numbers: tuple[float, ...], channels: int, value: Value) -> Array:
    if len(numbers) not in (1, channels):
        raise EdgeoptError(
            f"input '{value.name.split('~')[0]}' has {channels} channels, not {len(numbers)}, as its mean or scale says"
        )
    return np.asarray(numbers, np.float32).reshape(1, -1, 1, 1)


def _cropped(made: _Nodes, value: Value, wanted: Preparation, old: Value) -> Value:
    """The middle of the buffer."""
    if wanted.crop is None or value.type is None:
        return value
    n, c, *size = value.type.dims
    if any(inner > outer for inner, outer in zip(wanted.crop, size, strict=True)):
        raise EdgeoptError(f"input '{old.name.split('~')[0]}': {wanted.crop} cannot be cut from {tuple(size)}")
    first = [(outer - inner) // 2 for inner, outer in zip(wanted.crop, size, strict=True)]
    last = [begin + inner for begin, inner in zip(first, wanted.crop, strict=True)]
    bounds = [made.constant("crop", np.array(array, np.int64)) for array in (first, last, [2, 3])]
    return made.op("Slice", [value, *bounds], (n, c, *wanted.crop), value.type.dtype)


class _Nodes:
    """Adds nodes in front of all others, in order."""

    def __init__(self, graph: Graph) -> None:
        self._graph, self._before = graph, graph.nodes[0] if graph.nodes else None

    def constant(self, name: str, array: Array) -> Value:
        """A constant of the graph."""
        return self._graph.constant(name, array)

    def op(self, op: str, inputs: list[Value | None], shape: tuple[int, ...], dtype: str, **attributes: Attribute) -> Value:
        """The output of one more node."""
        name = f"prepare.{op.lower()}"
        return self._graph.make(op, inputs, [TensorType(dtype, shape)], self._before, "", name, attributes).output
