"""Lines and bodies come out of a connection however it cuts them into pieces, and parts leave it in order."""

from __future__ import annotations

import socket
import threading

import pytest

from edgeopt.serve.channel import AHEAD, UNREAD, Channel


@pytest.mark.parametrize("piece", [1, 7, 4096, 1 << 20])
def test_lines_and_bodies(piece: int) -> None:
    body = bytes(range(256)) * 40
    sent = b"first\r\n\n" + b"x" * (AHEAD + 5) + b"\nlast\n" + body + b"next\n"
    near, far = socket.socketpair()

    def send() -> None:
        for start in range(0, len(sent), piece):
            near.sendall(sent[start : start + piece])
        near.close()

    sender = threading.Thread(target=send)
    sender.start()
    with far:
        channel = Channel(far)
        assert [channel.readline(99), channel.readline(99)] == [b"first\r\n", b"\n"]
        assert channel.readline(10) == b"x" * 10, "no more than is asked for"
        assert channel.readline(1 << 16) == b"x" * (AHEAD - 5) + b"\n"
        assert channel.readline(99) == b"last\n"
        made = channel.read(len(body))
        assert bytes(made) == body and not made.readonly, "nobody else holds it"
        assert bytes(channel.read(100)) == b"next\n", "what there is where the stream ends"
        assert channel.readline(99) == b"" and not len(channel.read(5))
    sender.join()


def test_parts_leave_in_order_however_much_fits() -> None:
    near, far = socket.socketpair()
    parts = (b"head", memoryview(b"\x01" * (4 << 20)), b"", memoryview(b"end"))
    sender = threading.Thread(target=Channel(near).send, args=parts)
    sender.start()
    with near, far:
        assert Channel(far).read(7 + (4 << 20)) == b"".join(parts)
    sender.join()


def test_a_refused_client_may_finish() -> None:
    """It has sent more than was read: without an end its answer would be lost to a reset."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        server, _ = listener.accept()
        with server:
            client.sendall(b"x" * (UNREAD // 2))
            channel = Channel(server)
            channel.read(10)
            channel.send(b"no")
            ender = threading.Thread(target=channel.end)
            ender.start()
            client.shutdown(socket.SHUT_WR)
            ender.join()
        assert client.recv(10) == b"no" and client.recv(10) == b""
