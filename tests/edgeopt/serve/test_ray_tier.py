"""The same answers from replicas on Ray Serve, and nothing that other machines reach."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec

import numpy as np
import pytest

from edgeopt.errors import EdgeoptError
from edgeopt.serve.listening import beyond_loopback
from edgeopt.serve.remote import Remote, Unreachable
from edgeopt.serve.security import Security
from edgeopt.serve.served import Served
from tests.edgeopt.serve.doubling import ONE, Doubling, Y

TOKEN = "secret"


def models() -> Mapping[str, Served]:
    return {"double": Doubling()}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    if find_spec("ray") is None:
        pytest.skip("Ray Serve is the extra 'ray'")
    from edgeopt.serve import ray_tier

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ray_tier.start(models, "127.0.0.1", port, Security(token=TOKEN), replicas=2)
    yield f"127.0.0.1:{port}"
    ray_tier.stop()


def test_answers_are_those_of_the_model_and_errors_have_reasons(address: str) -> None:
    client = Remote(address, TOKEN)
    for batches in (1, 2):
        x = np.concatenate([ONE] * batches)
        found = client.infer("double", {"x": x}, [Y], time.monotonic() + 30).outputs["y"]
        np.testing.assert_array_equal(found, 2 * x)
    for x, reason in ((ONE[:, :3], "400.*wanted is"), (np.full_like(ONE, np.nan), "503.*not a number")):
        with pytest.raises(Unreachable, match=reason):
            client.infer("double", {"x": x}, [Y], time.monotonic() + 30)
    with pytest.raises(Unreachable, match="401"):
        Remote(address).infer("double", {"x": ONE}, [Y], time.monotonic() + 30)


def test_nothing_listens_beyond_the_loopback_interface(address: str) -> None:
    assert beyond_loopback(os.getpid()) == []


def test_listening_elsewhere_is_noticed() -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener:
        assert listener.getsockname()[1] in beyond_loopback(os.getpid())


def test_other_machines_need_more() -> None:
    if find_spec("ray") is None:
        pytest.skip("Ray Serve is the extra 'ray'")
    from edgeopt.serve import ray_tier

    with pytest.raises(EdgeoptError, match="can be reached from other machines"):
        ray_tier.start(models, "0.0.0.0", 1, Security(token=TOKEN), replicas=1)
