"""Signed artifacts: what was signed loads with the key, and nothing else does."""

from __future__ import annotations

import builtins
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgeopt
from edgeopt.errors import EdgeoptError
from edgeopt.runtime.signature import sign
from tests.edgeopt import small_models
from tests.edgeopt.command_line import edgeopt as command
from tests.edgeopt.emulation import needs_tool
from tests.edgeopt.sealed import sealed, swapped

serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")


def keys(folder: Path, name: str) -> tuple[Path, Path]:
    """A new pair of keys as PEM files."""
    key = ed25519.Ed25519PrivateKey.generate()
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    private.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    public.write_bytes(key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    return private, public


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signed") / "net"
    edgeopt.compile(small_models.convolution()).save(folder)
    return folder


@pytest.fixture
def net(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "net"))


def test_what_was_signed_loads_with_the_key(net: Path, tmp_path: Path) -> None:
    private, public = keys(tmp_path, "one")
    assert command("sign", net, "--key", private).exit_code == 0
    assert edgeopt.load(net, key=public).outputs[0].name == "y" and edgeopt.load(net).outputs[0].name == "y"
    np.savez(tmp_path / "x.npz", x=np.ones((1, 3, 8, 8), np.float32))
    given = ("--input", tmp_path / "x.npz", "--output", tmp_path / "y.npz")
    assert command("run", net, *given, "--key", public).exit_code == 0
    other = command("run", net, *given, "--key", keys(tmp_path, "two")[1])
    assert other.exit_code == 1 and "was not signed with the key" in other.stderr


def test_what_changed_since_is_refused(net: Path, tmp_path: Path) -> None:
    private, public = keys(tmp_path, "one")
    with pytest.raises(EdgeoptError, match="is not signed"):
        edgeopt.load(net, key=public)
    sign(net, private)
    swapped(net, "model.o.xz", (net / "model.o.xz").read_bytes() + b"\0")
    with pytest.raises(EdgeoptError, match="changed since"):
        edgeopt.load(net, key=public)
    sign(net, private)
    edgeopt.load(net, key=public)
    sealed(net, lambda manifest: manifest["notes"].append("more"))
    with pytest.raises(EdgeoptError, match="changed since"):
        edgeopt.load(net, key=public)
    sign(net, private)
    (net / "report.html").write_text("<script>")
    with pytest.raises(EdgeoptError, match=r"report\.html' is damaged"):
        edgeopt.load(net, key=public)
    with pytest.raises(EdgeoptError, match="damaged"):
        sign(net, private)


@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\0" * 63, b"\0" * 100])
def test_an_odd_signature_is_refused(net: Path, signature: bytes, tmp_path: Path) -> None:
    (net / "manifest.sig").write_bytes(signature)
    with pytest.raises(EdgeoptError, match="not signed|larger"):
        edgeopt.load(net, key=keys(tmp_path, "one")[1])


def test_keys_that_are_none_are_one_message(net: Path, tmp_path: Path) -> None:
    private, public = keys(tmp_path, "one")
    (tmp_path / "text.pem").write_text("secret")
    for key in (tmp_path / "text.pem", public, tmp_path / "missing.pem"):
        with pytest.raises(EdgeoptError, match="key|cannot read"):
            sign(net, key)
    for key in (tmp_path / "text.pem", private):
        with pytest.raises(EdgeoptError, match="key"):
            edgeopt.load(net, key=key)


def test_openssl_makes_keys_and_agrees(net: Path, tmp_path: Path) -> None:
    openssl = needs_tool("openssl")
    for words in ("genpkey -algorithm ed25519 -out k.pem", "pkey -in k.pem -pubout -out p.pem"):
        assert subprocess.run([openssl, *words.split()], cwd=tmp_path, capture_output=True).returncode == 0
    sign(net, tmp_path / "k.pem")
    assert edgeopt.load(net, key=tmp_path / "p.pem").outputs[0].name == "y"


def test_without_the_library_the_extra_is_named(net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    public, real = keys(tmp_path, "one")[1], builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.startswith("cryptography"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(EdgeoptError, match=r"edgeopt\[sign\]"):
        edgeopt.load(net, key=public)
    assert edgeopt.load(net).outputs[0].name == "y"
