"""How to speak to one API server."""

from __future__ import annotations

import contextlib
import os
import ssl
from dataclasses import field
from typing import TYPE_CHECKING

from kvtui.backend.kube.errors import BadAccess
from kvtui.model.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where the API is and how it knows us. Secrets are not in its repr, and go nowhere but on the wire.

    Attributes:
        server: URL, such as ``https://10.96.0.1:443``; it may have a path.
        origin: where this was found, for an operator: ``kubeconfig /root/.kube/config (context lab)``.
        authorization: value of the Authorization header.
        ca: PEM certificates to trust; None for the system's own.
        certificate: client certificate (PEM).
        key: its private key (PEM).
        verify: False with ``insecure-skip-tls-verify``.
        server_name: name to expect in the certificate instead of the URL's host.
        proxy: URL of an HTTP proxy.
    """

    server: str
    origin: str
    authorization: str | None = field(default=None, repr=False)
    ca: str | None = field(default=None, repr=False)
    certificate: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    verify: bool = True
    server_name: str | None = None
    proxy: str | None = field(default=None, repr=False)

    def tls(self) -> ssl.SSLContext | None:
        """What TLS needs; None for plain HTTP. Reads the system's certificates (some 20 ms) when there is no ``ca``.

        Raises:
            BadAccess: a certificate or key is unusable.
        """
        if not self.server.startswith("https:"):
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        try:
            if self.ca:
                context.load_verify_locations(cadata=self.ca)
            elif self.verify:
                context.load_default_certs()
        except (ssl.SSLError, ValueError):
            raise BadAccess(f"the certificate authority of {self.origin} is no certificate (PEM)") from None
        if self.certificate and self.key:
            try:
                with _in_memory(self.certificate, self.key) as path:
                    context.load_cert_chain(path)
            except (OSError, ValueError):  # SSLError is an OSError
                raise BadAccess(f"the client certificate and key of {self.origin} do not fit together") from None
        return context


@contextlib.contextmanager
def _in_memory(*texts: str) -> Iterator[str]:
    """A path to a file that is in memory only: OpenSSL loads keys from files, and a key must not touch a disk."""
    fd = os.memfd_create("kvtui-tls", os.MFD_CLOEXEC)
    try:
        os.write(fd, "\n".join(texts).encode())
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)
