"""A plan whose cut is coded: fewer bytes are priced, sent and understood; a damaged message is refused and costs nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

import edgeopt
from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load
from edgeopt.partition.client import Client
from edgeopt.partition.codes.wire import Wire
from edgeopt.partition.hop import hops
from edgeopt.partition.package import save_plan
from edgeopt.partition.plan import Plan, plan
from edgeopt.partition.profile import LayerTime, work, write_profile
from edgeopt.partition.shipped import load_plan
from edgeopt.partition.tiers import Tiers, load_tiers
from edgeopt.pipeline import optimize
from edgeopt.serve.remote import Remote, Unreachable
from edgeopt.serve.server import Server
from tests.edgeopt.bright_quarters import blobs, network

TIERS = """
[[tier]]
name = "device"
target = "host"
profile = "device.json"
[[tier]]
name = "server"
target = "host"
profile = "server.json"
[[link]]
name = "wire"
up = 2000.0
down = 2000.0
round_trip = 0.001
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The device computes the first convolution and is slow at the rest."""
    folder = tmp_path_factory.mktemp("coded")
    onnx.save(network(), folder / "blobs.onnx")
    (folder / "tiers.toml").write_text(TIERS)
    graph = load(folder / "blobs.onnx")
    optimize(graph)
    for name, first, rest in (("device", 0.001, 10.0), ("server", 10.0, 0.001)):
        rows = [LayerTime(n.name, n.op, *work(n), first if i == 0 else rest) for i, n in enumerate(graph.nodes)]
        write_profile(folder / f"{name}.json", name, rows)
    return folder


@pytest.fixture(scope="module")
def planned(place: Path) -> Plan:
    tiers = load_tiers(place / "tiers.toml")
    made = plan(place / "blobs.onnx", tiers, folder=place, data=blobs(400, 1), calibration=blobs(200, 2), max_drop=3.0)
    save_plan(made, place / "plan", most=1)
    return made


def test_the_bytes_of_the_code_are_priced(planned: Plan, place: Path) -> None:
    plain = plan(place / "blobs.onnx", load_tiers(place / "tiers.toml"), folder=place)
    assert planned.coding is not None and planned.cut.placement == plain.cut.placement
    (tensor,) = [t for t in planned.network.tensors if t.name in planned.coding.chosen and t.coding]
    full = next(t for t in plain.network.tensors if t.name == tensor.name)
    assert tensor.size < full.size / 4
    saved = (full.size - tensor.size) / 2000.0 - sum(tensor.coding)
    assert planned.cut.price.latency == pytest.approx(plain.cut.price.latency - saved)
    assert planned.coding.loss.points <= 3.0 + 2.0, "samples that chose nothing may lose a little more"
    assert {"device only", "raw input to server"} <= set(planned.baselines)


def test_the_tiers_speak_in_codes(planned: Plan, place: Path) -> None:
    shipped = load_plan(place / "plan")
    assert planned.coding is not None
    (name,) = shipped.wire.codes
    server = Server(hops(shipped, "server", None), port=0)
    server.start()
    try:
        address = "{}:{}".format(*server.address)
        client, whole = Client(place / "plan", [address]), edgeopt.compile(place / "blobs.onnx")
        same = 0
        for x in blobs(40, 5).arrays["x"]:
            answer = client.run({"x": x[None]}, 20.0)
            assert answer.where == address
            same += int(answer.outputs["y"].argmax() == whole.run({"x": x[None]})["y"].argmax())
        assert same >= 34, "the code changes few decisions"
        message = shipped.wire.sent({name: np.zeros((1, *_shape(shipped.variants[0].up[0][0].shape)), np.float32)})
        damaged = {name: np.concatenate([message[name][:-1], message[name][-1:] ^ 1])}
        remote = Remote(address)
        for sent in (damaged, {name: message[name][:5]}, {name: np.zeros(10**6, np.uint8)}):
            with pytest.raises(Unreachable, match="answers 4|damaged|checksum"):
                remote.infer(shipped.name(0), sent, shipped.variants[0].down[0], _soon())
        assert client.run({"x": x[None]}, 20.0).where == address, "the server goes on"
    finally:
        server.shutdown()
        server.server_close()


def test_a_plan_whose_code_is_missing_or_damaged_is_one_message(planned: Plan, place: Path) -> None:
    path = place / "plan" / "code-0.npz"
    content = path.read_bytes()
    try:
        path.write_bytes(content[:-3])
        with pytest.raises(EdgeoptError, match="differs from what the plan says"):
            load_plan(place / "plan")
        path.unlink()
        with pytest.raises(EdgeoptError, match=r"code-0\.npz"):
            load_plan(place / "plan")
    finally:
        path.write_bytes(content)


def test_too_few_samples_are_one_message(place: Path) -> None:
    with pytest.raises(EdgeoptError, match="too few to fit"):
        plan(place / "blobs.onnx", load_tiers(place / "tiers.toml"), folder=place, data=blobs(10, 1), calibration=blobs(10, 2))


def test_a_code_that_takes_longer_than_it_saves_is_not_used(place: Path) -> None:
    """Over a link without end bytes cost nothing, and coding still does."""
    tiers = load_tiers(place / "tiers.toml")
    fast = Tiers(tiers.tiers, (replace(tiers.links[0], up=1e14, down=1e14),))
    plain = plan(place / "blobs.onnx", fast, folder=place)
    made = plan(place / "blobs.onnx", fast, folder=place, data=blobs(400, 1), calibration=blobs(200, 2), max_drop=3.0)
    assert made.coding is not None and not made.coding.chosen and made.cut == plain.cut


def test_what_is_not_coded_crosses_as_it_is() -> None:
    x = np.ones((1, 2), np.float32)
    assert Wire().sent({"x": x})["x"] is x and Wire().received({"x": x})["x"] is x


def _shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:]


def _soon() -> float:
    import time

    return time.monotonic() + 10.0
