"""What a file that is no ONNX model is, and how to make ONNX of it."""

from __future__ import annotations

from pathlib import Path

PYTORCH = "torch.onnx.export(model.eval(), (example_input,), 'model.onnx', dynamo=True)"
EXPORTED = "torch.onnx.export(model, (example_input,), 'model.onnx', dynamo=True)"
KERAS = "model.export('model.onnx', format='onnx') (Keras 3; pip install tf2onnx)"
FROM_TFLITE = "pip install tf2onnx; python -m tf2onnx.convert --tflite {path} --output model.onnx"
FROM_GRAPH = (
    "pip install tf2onnx; python -m tf2onnx.convert --graphdef {path} --inputs NAME:0 --outputs NAME:0 --output model.onnx"
)
FROM_FOLDER = "pip install tf2onnx; python -m tf2onnx.convert --saved-model {path} --output model.onnx"
SCIKIT = "pip install skl2onnx; skl2onnx.to_onnx(model, example_input)"

# (first bytes, offset, what it is, what to do); the first that fits
_MAGIC: tuple[tuple[bytes, int, str, str], ...] = (
    (b"TFL3", 4, "a TensorFlow Lite model", FROM_TFLITE),
    (b"ORTM", 4, "an onnxruntime model (ORT format)", "use the .onnx file that it was converted from"),
    (b"\x89HDF", 0, "a Keras model (HDF5)", f"load it with keras.models.load_model, then {KERAS}"),
    (b"\x93NUMPY", 0, "a numpy array", "give the .onnx file of the model; data goes to --data or --input"),
    (b"7767517", 0, "an ncnn model", "use the .onnx file that it was converted from"),
    (b"{", 0, "a JSON file", "give the .onnx file of the model; 'edgeopt select' takes fronts"),
)
# inside of a zip archive: (part of a name, what it is, what to do)
_IN_ZIP: tuple[tuple[str, str, str], ...] = (
    ("models/model.json", "a PyTorch exported program", f"model = torch.export.load(path).module(), then {EXPORTED}"),
    ("exported_program.json", "a PyTorch exported program", f"model = torch.export.load(path).module(), then {EXPORTED}"),
    ("/code/", "a TorchScript archive (PyTorch)", f"load it with torch.jit.load, then {PYTORCH}"),
    ("/data.pkl", "a PyTorch checkpoint", f"build the model in Python, load its weights from the file, then {PYTORCH}"),
    ("metadata.json", "a Keras model", f"load it with keras.models.load_model, then {KERAS}"),
    (".npy", "an npz archive of arrays", "give the .onnx file of the model; data goes to --data or --input"),
)
_SUFFIXES: dict[str, tuple[str, str]] = {
    ".pt": ("a PyTorch file", f"load the model in Python, then {PYTORCH}"),
    ".pth": ("a PyTorch file", f"load the model in Python, then {PYTORCH}"),
    ".pb": ("a TensorFlow graph", FROM_GRAPH),
    ".h5": ("a Keras model", f"load it with keras.models.load_model, then {KERAS}"),
    ".safetensors": ("a file of weights without a network", f"build the model in Python, load the weights, then {PYTORCH}"),
    ".gguf": ("a GGUF file of a language model", "export the model to ONNX from its framework"),
    ".pkl": ("a pickle", f"scikit-learn: {SCIKIT}; PyTorch: {PYTORCH}"),
    ".joblib": ("a pickle of scikit-learn", SCIKIT),
    ".caffemodel": ("a Caffe model", "convert it with a Caffe to ONNX converter"),
    ".mlmodel": ("a Core ML model", "export ONNX from the framework it was trained in"),
    ".xml": ("an OpenVINO model", "use the .onnx file that it was converted from"),
}
_ZIP = b"PK\x03\x04"


def foreign(path: Path, data: bytes = b"") -> str:
    """What the file (or folder) at ``path`` is and the way to ONNX from it, by its ``data`` or else its name; "" when unknown."""
    if path.is_dir():
        return _folder(path)
    for magic, offset, what, way in _MAGIC:
        if data[offset : offset + len(magic)] == magic:
            return _said(path, what, way)
    if data.startswith(_ZIP):
        return _archive(path, data)
    if path.suffix.lower() in _SUFFIXES and path.suffix.lower() != ".onnx":
        return _said(path, *_SUFFIXES[path.suffix.lower()])
    return ""


def _archive(path: Path, data: bytes) -> str:
    """Of a zip file; its names stand in it as they are."""
    for part, what, way in _IN_ZIP:
        if part.encode() in data:
            return _said(path, what, way)
    return _said(path, "a zip archive", "unpack it and give the .onnx file inside")


def _folder(path: Path) -> str:
    if (path / "saved_model.pb").is_file():
        return _said(path, "a TensorFlow SavedModel", FROM_FOLDER)
    if (path / "manifest.json").is_file():
        readers = "'edgeopt run', 'eval', 'bench', 'inspect' and 'why' take it, in Python edgeopt.explain"
        return f"'{path}' is a compiled model, not an ONNX file; {readers}"
    found = sorted(path.glob("*.onnx"))
    inside = f"; it holds {', '.join(f.name for f in found[:3])}: give one of these" if found else ", and holds no .onnx file"
    return f"'{path}' is a folder, not an ONNX file{inside}"


def _said(path: Path, what: str, way: str) -> str:
    return f"'{path}' is {what}, not an ONNX file. Make one: {way.format(path=path)}"
