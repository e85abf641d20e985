"""``edgeopt compress``: the budget binds, the table says what is stored, and a bad recipe gets one clear message."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import edgeopt
from edgeopt.coding import coded_size
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet
from edgeopt.frontend import load
from edgeopt.ops.grids import linear_nodes
from edgeopt.pipeline import optimize
from edgeopt.report.compression import corrected, onnx_share
from edgeopt.search import ladders
from edgeopt.search.recipe import read_recipe, shipped
from edgeopt.search.timing import layer_name
from tests.edgeopt.command_line import DIGITS, EVALUATION, answered
from tests.edgeopt.command_line import edgeopt as command

PRUNE = '[[step]]\ntechnique = "prune"\nforms = ["unstructured-90", "unstructured-50"]\n'
SHARE = '[[step]]\ntechnique = "share_weights"\nforms = ["codebook-3", "codebook-5"]\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", list(shipped()))
def test_recipes_that_are_shipped_are_whole(name: str) -> None:
    recipe = read_recipe(name)
    assert recipe.about and recipe.steps and all(recipe.forms(step.technique, "any") for step in recipe.steps)


def test_a_network_gets_small_within_its_budget(tmp_path: Path) -> None:
    recipe = written(tmp_path, PRUNE + SHARE)
    made = edgeopt.compress(DIGITS, recipe, data=EVALUATION, max_drop=4.0)
    found, quantization = made.manifest["compression"], made.manifest["quantization"]
    assert quantization["before"] - quantization["after"] <= 4.0
    assert found["bytes"] < found["model"] / 5
    arrays = [v.array for v in made.graph.constants]
    assert found["bytes"] == sum(coded_size(a) for a in arrays)
    for layer in found["layers"]:
        weights = [a for a in arrays if a.size == layer["weights"] and np.count_nonzero(a) == layer["kept"]]
        assert layer["bytes"] in [coded_size(a) for a in weights]


def test_the_command_prints_a_table(tmp_path: Path) -> None:
    recipe, folder = written(tmp_path, PRUNE + SHARE), tmp_path / "small"
    result = command("compress", DIGITS, "--recipe", recipe, "-o", folder)
    assert result.exit_code == 0, result.stderr
    assert all(words in result.stdout for words in ("kept", "index", "times less"))  # heads are broken to fit 80 columns
    assert "the loss is not verified" in result.stderr
    json.loads((folder / "manifest.json").read_text())["compression"]
    assert command("run", folder, "--input", EVALUATION, "--output", tmp_path / "y.npz").exit_code == 0


def test_the_result_is_written_for_other_runtimes(tmp_path: Path) -> None:
    recipe, path = written(tmp_path, PRUNE), tmp_path / "small.onnx"
    result = command("compress", DIGITS, "--recipe", recipe, "--emit", "onnx", "-o", path, "--json")
    assert result.exit_code == 0, result.stderr
    assert answered(result)["output"] == str(path)
    model = onnx.load(path)
    onnx.checker.check_model(model)
    assert {opset.domain for opset in model.opset_import} <= {"", "ai.onnx"}
    weights = [w for w in map(numpy_helper.to_array, model.graph.initializer) if w.ndim > 1 and w.dtype == np.float32]
    assert any((w == 0).mean() > 0.2 for w in weights)  # zeros of pruning are there
    assert command("compress", DIGITS, "--emit", "onnx", "--no-onnx").exit_code == 2


def test_the_onnx_is_left_out_and_before_that_its_bytes_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small, whole = tmp_path / "small", tmp_path / "whole"
    monkeypatch.setattr("edgeopt.search.sparsity.GAIN", np.inf)  # layers are stored sparse in both, whatever a busy machine times
    result = command("compress", DIGITS, "--recipe", "int8-sparse", "-O2", "-o", whole)
    assert result.exit_code == 0, result.stderr
    said = " ".join(result.stdout.split())
    found = re.search(r"model.onnx takes ([\d,]+) bytes and ([\d,]+) bytes of weights.bin.*--no-onnx", said)
    assert found is not None, result.stdout
    model, again = (int(number.replace(",", "")) for number in found.groups())
    assert model == (whole / "model.onnx").stat().st_size and again > 0
    result = command("compress", DIGITS, "--recipe", "int8-sparse", "-O2", "--no-onnx", "-o", small)
    assert result.exit_code == 0 and "model.onnx" not in result.stdout and not (small / "model.onnx").exists()
    saved = (whole / "weights.bin").stat().st_size - (small / "weights.bin").stat().st_size
    assert abs(saved - again) < 256  # what describes those tensors, and padding
    x = dict(np.load(EVALUATION))
    feeds = {port.name: x[port.name][:4] for port in edgeopt.load(small).inputs}
    for name, expected in edgeopt.load(whole).run(feeds).items():
        np.testing.assert_array_equal(edgeopt.load(small).run(feeds)[name], expected)


def test_little_that_is_there_for_the_onnx_is_not_mentioned() -> None:
    tensors = [{"stored": 900, "loaded": 1000}, {"stored": 50, "loaded": 0}]
    assert onnx_share(tensors, 40, 950) == "" and onnx_share(tensors, 0, 950) == ""
    assert "takes 60 bytes and 50 bytes of weights.bin" in onnx_share(tensors, 60, 950)
    assert onnx_share(tensors[:1], 100, 900) == "model.onnx takes 100 bytes; --no-onnx leaves that out"


def test_without_data_the_mildest_forms_are_taken() -> None:
    names = {True: {"prune": "unstructured-96", "share_weights": "codebook-3"}, False: {"quantize": "w8a8"}}
    for with_data, expected in names.items():
        assert ladders.names(None, "size", None, with_data) == expected
    assert ladders.names("prune", "latency", None, False) == {"prune": "unstructured-30"}
    assert ladders.names("unstructured-96", "latency", None, False) == {"prune": "unstructured-96"}
    assert ladders.names("prune", "latency", None, True) == {"prune": "unstructured-96"}


def test_levels_are_there_from_the_start_and_wider_types_wait() -> None:
    first, finer = ladders.ladders({"prune": "unstructured-50", "quantize": "w8a8"}, None, standard=False)
    assert first == {"prune": ["unstructured-50", "unstructured-30"], "quantize": ["w8a8"]}
    assert finer == {"prune": (), "quantize": ("w8a16",)}
    assert ladders.ladders({"quantize": "w8a8"}, None, standard=True)[1] == {"quantize": ()}


def test_steps_name_their_layers(tmp_path: Path) -> None:
    text = PRUNE.replace("\nforms", '\nlayers = ["*onv*"]\nforms') + PRUNE.replace("90", "60")
    recipe = read_recipe(written(tmp_path, text))
    assert recipe.forms("prune", "conv1")[0] == "unstructured-90" and recipe.forms("prune", "fc")[0] == "unstructured-60"
    assert recipe.forms("share_weights", "fc") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no table"),
        ("[[step", "no TOML"),
        ('[[step]]\ntechnique = "prun"\nforms = ["a"]', "unknown technique 'prun'; known are separate"),
        ('[[step]]\nforms = ["2:4"]', "step 1: it names no technique; known are separate"),
        (PRUNE.replace("50", "92"), "step 1: 'unstructured-92' goes further than 'unstructured-90'; put it in front"),
        ('[[step]]\ntechnique = "prune"\nforms = ["half"]', "step 1: prune has no form 'half'"),
        ('[[step]]\ntechnique = "prune"\nforms = []', "step 1: forms must be a list"),
        ('[[step]]\ntechnique = "prune"\nform = ["2:4"]', "step 1: unknown key 'form'"),
        (f"author = 1\n{PRUNE}", "unknown key 'author'"),
        (
            PRUNE + SHARE + PRUNE.replace("prune", "quantize").replace("unstructured-90", "w7"),
            "step 3: quantize has no form 'w7'",
        ),
    ],
)
def test_a_bad_recipe_gets_one_message(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(EdgeoptError, match=message.replace("[", r"\[")):
        read_recipe(path)
    result = command("compress", DIGITS, "--recipe", path, "-o", tmp_path / "out")
    assert result.exit_code == 1 and result.stderr.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["relu1"], "step 1: there is no layer 'relu1'; there are '"),
        (["*conf*"], "step 1 changes nothing: no layer is named so; there are '"),
    ],
)
def test_a_recipe_for_layers_of_another_network_gets_one_message(tmp_path: Path, layers: list[str], message: str) -> None:
    recipe, folder = written(tmp_path, f"{PRUNE}layers = {layers}"), tmp_path / "out"
    with pytest.raises(EdgeoptError, match=re.escape(message)):
        edgeopt.compress(DIGITS, recipe)
    result = command("compress", DIGITS, "--recipe", recipe, "-o", folder)
    assert result.exit_code == 1 and result.stderr.count("\n") == 1 and not folder.exists()


def test_layers_go_by_the_names_of_the_table_and_idle_steps_are_said(tmp_path: Path) -> None:
    graph = load(DIGITS)
    optimize(graph, 1)
    node = linear_nodes(graph)[0]
    name = layer_name(node)
    assert name != node.name
    recipe = written(tmp_path, f'{PRUNE}layers = ["{name}"]\n{PRUNE}layers = ["{name}"]\n{SHARE}layers = ["no*"]')
    made = edgeopt.compress(DIGITS, recipe)
    assert [layer["layer"] for layer in made.manifest["compression"]["layers"]] == [name]
    idle = [line.split(" changes nothing: ")[1] for line in made.manifest["notes"] if "changes nothing" in line]
    assert idle[0] == "steps before it hold for its layers" and idle[1].startswith("no layer is named so; there are '")


def test_labels_that_the_network_only_guesses_are_accepted_where_that_is_asked_for(tmp_path: Path) -> None:
    arrays = dict(np.load(EVALUATION))
    np.savez(tmp_path / "mixed.npz", image=arrays["image"], labels=np.random.default_rng(0).permutation(arrays["labels"]))
    asked = ("compress", DIGITS, "--recipe", written(tmp_path, SHARE), "--data", tmp_path / "mixed.npz", "-o", tmp_path / "made")
    result = command(*asked)
    assert result.exit_code == 1 and "(--accept-chance goes on)" in result.stderr
    assert command(*asked, "--accept-chance").exit_code == 0


def test_level_0_has_no_layers_to_change() -> None:
    assert any("-O0 leaves operators as they are" in line for line in edgeopt.compress(DIGITS, level=0).manifest["notes"])


def test_data_beyond_what_floats_can_square_are_refused() -> None:
    arrays = dict(np.load(EVALUATION))
    data = DataSet({"image": arrays["image"] * np.float32(1e30)}, None)
    with pytest.raises(EdgeoptError, match="drives a value to NaN or infinity"):
        edgeopt.compress(DIGITS, data=data)


def test_a_recipe_that_is_not_there_names_those_there_are() -> None:
    with pytest.raises(EdgeoptError, match="unknown recipe 'deep'; there are deep-compression"):
        read_recipe("deep")


def test_a_recipe_stands_alone() -> None:
    with pytest.raises(EdgeoptError, match="give it alone"):
        edgeopt.Options(recipe="share", quantize="w8a8")


def test_codewords_are_shown_with_and_without_error_correction(tmp_path: Path) -> None:
    made = edgeopt.compress(DIGITS, "q-cnn", data=EVALUATION, max_drop=5.0)
    about, quantization = made.manifest["compression"]["corrected"], made.manifest["quantization"]
    assert about["drop"] == quantization["before"] - quantization["after"] <= 5.0
    assert about["theoretical"] > 1 and about["measured"] and about["speed_up"] > 0
    row = corrected(made.manifest["compression"])
    assert row is not None and row[3:] == (f"{about['drop']:.2f}", f"{about['uncorrected_drop']:.2f}")
    assert about["uncorrected_drop"] >= about["drop"]
