"""An OpenID Connect issuer for tests: an HTTPS server on this machine that refreshes one token."""

from __future__ import annotations

import base64
import http.server
import json
import ssl
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pathlib import Path


def token(subject: str, expires: int) -> str:
    """Returns an unsigned JSON Web Token."""

    def part(fields: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part({'sub': subject, 'exp': expires})}.c2ln"


class Issuer:
    """See the module's text.

    Args:
        certificate: PEM, its key beside it.
        fresh: the token that it issues.
    """

    def __init__(self, certificate: Path, fresh: str) -> None:
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer({"token_endpoint": f"{issuer.url}/token"})

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self._answer({"id_token": fresh, "refresh_token": "again", "token_type": "Bearer", "access_token": "a"})

            def _answer(self, fields: dict[str, str]) -> None:
                body = json.dumps(fields).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Logs nothing."""

        self._server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, name="issuer", daemon=True)
        self._certificate = certificate

    @property
    def url(self) -> str:
        """The issuer's URL."""
        return f"https://127.0.0.1:{self._server.server_address[1]}"

    def user(self, old: str) -> dict[str, Any]:
        """Returns a kubeconfig's user with a token of this issuer."""
        config = {
            "idp-issuer-url": self.url,
            "idp-certificate-authority": str(self._certificate),
            "client-id": "kvtui",
            "client-secret": "of-nobody",
            "id-token": old,
            "refresh-token": "once",
        }
        return {"auth-provider": {"name": "oidc", "config": config}}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
