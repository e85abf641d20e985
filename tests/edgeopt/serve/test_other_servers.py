"""Our clients against a server of the same protocol that is not ours: MLServer, where its command is on the PATH."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest

from edgeopt.serve.remote import Remote, Unreachable
from edgeopt.serve.remotes import AnyRemote, remote
from tests.edgeopt.serve.doubling import ONE, Y

MODEL = """
import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class Doubling(MLModel):
    async def load(self):
        return True

    async def predict(self, payload):
        x = NumpyCodec.decode_input(payload.inputs[0])
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("y", 2 * x)])
"""


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """MLServer with a model that doubles, and its ports."""
    command = shutil.which("mlserver")
    if command is None:
        pytest.skip("there is no MLServer (pip install mlserver in an environment of its own, its bin on the PATH)")
    folder = tmp_path_factory.mktemp("mlserver")
    free = _free_ports(3)
    chosen = dict(zip(("http_port", "grpc_port", "metrics_port"), free, strict=True))
    (folder / "doubling.py").write_text(MODEL)
    (folder / "settings.json").write_text(json.dumps({**chosen, "host": "127.0.0.1", "parallel_workers": 0}))
    (folder / "model-settings.json").write_text(json.dumps({"name": "double", "implementation": "doubling.Doubling"}))
    with subprocess.Popen([command, "start", str(folder)], cwd=folder, stdout=subprocess.DEVNULL) as process:
        try:
            _wait(f"http://127.0.0.1:{chosen['http_port']}/v2/models/double/ready", process)
            yield chosen
        finally:
            process.kill()


def _free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return found


def _wait(url: str, process: subprocess.Popen[bytes], seconds: float = 120.0) -> None:
    for _ in range(int(seconds / 0.5)):
        try:
            urllib.request.urlopen(url, timeout=5)
            return
        except OSError:
            assert process.poll() is None, "MLServer ended"
            time.sleep(0.5)
    raise AssertionError("MLServer did not get ready")


def doubled(client: AnyRemote) -> None:
    reply = client.infer("double", {"x": ONE}, [Y], time.monotonic() + 20)
    np.testing.assert_array_equal(reply.outputs["y"], 2 * ONE)
    with pytest.raises(Unreachable, match="treble"):
        client.infer("treble", {"x": ONE}, [Y], time.monotonic() + 20)


def test_over_http(ports: dict[str, int]) -> None:
    doubled(Remote(f"127.0.0.1:{ports['http_port']}", binary=False))  # it has no binary tensors


def test_over_grpc(ports: dict[str, int]) -> None:
    pytest.importorskip("grpc", reason="gRPC is the extra 'serve'")
    doubled(remote(f"grpc://127.0.0.1:{ports['grpc_port']}"))
