"""Signatures of artifacts: ed25519 over the bytes of the manifest, whose checksums cover every other file.

Keys are PEM files: ``openssl genpkey -algorithm ed25519 -out KEY`` makes one, ``openssl pkey -in KEY -pubout`` its public part.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeopt.errors import EdgeoptError
from edgeopt.files import read_regular, replacing
from edgeopt.runtime.artifact import load
from edgeopt.runtime.marks import MANIFEST, MANIFEST_LIMIT, SIGNATURE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEY_LIMIT, SIGNATURE_BYTES = 1 << 16, 64


def sign(directory: str | Path, key: str | Path) -> Path:
    """Sign the artifact with the private key in the file ``key``; returns the signature's file.

    Raises EdgeoptError for a damaged artifact, an unusable key, and when ``cryptography`` is not installed.
    """
    directory, private = Path(directory), _private(Path(key))
    content = read_regular(directory / MANIFEST, MANIFEST_LIMIT, f"'{directory}' is not a compiled model")
    load(directory)
    made = directory / SIGNATURE
    with replacing(made) as stream:
        stream.write(private.sign(content))
    return made


def verify(directory: Path, content: bytes, key: Path) -> None:
    """Raise EdgeoptError unless ``directory`` holds the signature of the manifest's ``content`` by the public key in ``key``."""
    wrong = _library().exceptions.InvalidSignature
    public, path = _public(key), directory / SIGNATURE
    signature = read_regular(path, SIGNATURE_BYTES, f"'{directory}' is not signed")
    try:
        public.verify(signature, content)
    except wrong as error:
        raise EdgeoptError(f"'{directory}' was not signed with the key of '{key}', or changed since; do not run it") from error


def _private(path: Path) -> Ed25519PrivateKey:
    library = _library()
    kind: type[Ed25519PrivateKey] = library.hazmat.primitives.asymmetric.ed25519.Ed25519PrivateKey
    loaded = _loaded(path, lambda data: library.hazmat.primitives.serialization.load_pem_private_key(data, None))
    if not isinstance(loaded, kind):
        raise EdgeoptError(f"'{path}' holds no private ed25519 key; openssl genpkey -algorithm ed25519 -out KEY.pem makes one")
    return loaded


def _public(path: Path) -> Ed25519PublicKey:
    library = _library()
    kind: type[Ed25519PublicKey] = library.hazmat.primitives.asymmetric.ed25519.Ed25519PublicKey
    loaded = _loaded(path, library.hazmat.primitives.serialization.load_pem_public_key)
    if not isinstance(loaded, kind):
        raise EdgeoptError(f"'{path}' holds no public ed25519 key; openssl pkey -in KEY.pem -pubout -out PUBLIC.pem makes one")
    return loaded


def _loaded(path: Path, reader: Any) -> object:
    content = read_regular(path, KEY_LIMIT)
    try:
        return reader(content)
    except Exception as error:  # of several kinds: no PEM, encrypted, an unknown algorithm
        raise EdgeoptError(f"'{path}' is no key that can be used here ({error}); wanted is PEM without password") from error


def _library() -> Any:
    try:
        import cryptography.exceptions
        import cryptography.hazmat.primitives.asymmetric.ed25519
        import cryptography.hazmat.primitives.serialization
    except ImportError as error:
        raise EdgeoptError("signatures need the package cryptography; pip install 'edgeopt[sign]' brings it") from error
    return cryptography
