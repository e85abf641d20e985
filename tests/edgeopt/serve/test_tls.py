"""TLS between server and client, over HTTP and gRPC: the certificate is checked, and deadlines count for the handshake too."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import threading
import time
from contextlib import suppress
from importlib.util import find_spec

import numpy as np
import pytest

from edgeopt.errors import EdgeoptError
from edgeopt.serve.handler import Limits
from edgeopt.serve.remote import Remote, Unreachable
from edgeopt.serve.remotes import remote
from edgeopt.serve.security import Security
from edgeopt.serve.server import Server
from tests.edgeopt.serve.doubling import ONE, Doubling, Y

pytest.importorskip("cryptography", reason="makes the certificates of this test")


@pytest.fixture(scope="module")
def security(tmp_path_factory: pytest.TempPathFactory) -> Security:
    """A self-signed certificate for this machine."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder, key = tmp_path_factory.mktemp("tls"), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "edgeopt test")])
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), today, today + datetime.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    return Security("secret", folder / "cert.pem", folder / "key.pem")


def soon(seconds: float = 10.0) -> float:
    return time.monotonic() + seconds


HELLO = b"\x16\x03\x03\x40\x00" + bytes(200)


def trickling(address: tuple[str, int]) -> threading.Thread:
    """A client that begins a handshake and goes on byte by byte until it is turned away."""

    def trickle() -> None:
        with socket.create_connection(address) as connection, suppress(OSError):
            for byte in HELLO:
                connection.sendall(bytes([byte]))
                time.sleep(0.1)

    made = threading.Thread(target=trickle, daemon=True)
    made.start()
    return made


def test_answers_come_over_tls_to_those_who_know_the_certificate(security: Security) -> None:
    server = Server({"double": Doubling()}, port=0, security=security, limits=Limits(request=2.0))
    server.start()
    address = "{}:{}".format(*server.address)
    slow = trickling(server.address)
    try:
        client = Remote(address, "secret", security.certificate)
        for _ in range(2):
            np.testing.assert_array_equal(client.infer("double", {"x": ONE}, [Y], soon()).outputs["y"], 2 * ONE)
        with pytest.raises(Unreachable):
            Remote(address, "secret").infer("double", {"x": ONE}, [Y], soon())
        slow.join(10)
        assert not slow.is_alive(), "a client that shakes hands forever is turned away"
    finally:
        server.shutdown()
        server.server_close()


def test_over_grpc_too(security: Security) -> None:
    if find_spec("grpc") is None:
        pytest.skip("gRPC is the extra 'serve'")
    from edgeopt.serve.grpc_server import GrpcServer

    server = GrpcServer({"double": Doubling()}, port=0, security=security)
    server.start()
    address = "grpc://{}:{}".format(*server.address)
    try:
        client = remote(address, "secret", security.certificate)
        np.testing.assert_array_equal(client.infer("double", {"x": ONE}, [Y], soon()).outputs["y"], 2 * ONE)
        with pytest.raises(Unreachable, match="UNAUTHENTICATED"):
            remote(address, "", security.certificate).infer("double", {"x": ONE}, [Y], soon())
    finally:
        server.stop()


def test_a_handshake_that_trickles_is_given_up_at_the_deadline(security: Security) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def trickle() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                for byte in HELLO:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.1)

        threading.Thread(target=trickle, daemon=True).start()
        started = time.monotonic()
        with pytest.raises(Unreachable):
            Remote(f"127.0.0.1:{listener.getsockname()[1]}", "", security.certificate).infer("m", {"x": ONE}, [Y], soon(0.5))
        assert time.monotonic() - started < 4


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:a", ":1", "a\r\nb:1"])
def test_what_is_no_address_is_one_message(address: str) -> None:
    with pytest.raises(EdgeoptError, match="is no address"):
        Remote(address)
