"""Who may use a server: a token, TLS, and neither needed on the loopback interface alone."""

from __future__ import annotations

import hmac
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from edgeopt.errors import EdgeoptError


@dataclass(frozen=True)
class Security:
    """A ``token`` that requests must bear, and the files of a certificate for TLS; ``insecure`` does without beyond loopback."""

    token: str = ""
    certificate: Path | None = None
    key: Path | None = None
    insecure: bool = False

    def require_enough(self, host: str) -> None:
        """Raise EdgeoptError when ``host`` can be reached from other machines and token or certificate are missing."""
        if not (self.insecure or is_loopback(host) or (self.token and self.certificate)):
            raise EdgeoptError(
                f"'{host}' can be reached from other machines: give --token-file and --certificate, "
                "or --insecure in a network you trust"
            )

    def allows(self, authorization: str) -> bool:
        """Whether the header ``authorization`` bears the token; compared in the same time whatever it holds."""
        return not self.token or hmac.compare_digest(authorization.encode(), f"Bearer {self.token}".encode())

    def wrapped(self) -> ssl.SSLContext | None:
        """What connections are wrapped in. Raises EdgeoptError for files that hold no certificate."""
        if self.certificate is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise EdgeoptError(f"cannot use the certificate '{self.certificate}': {error}") from error
        return context


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine, for itself alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
