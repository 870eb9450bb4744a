"""Run as a program: one command in a pod, over the official client's WebSocket. Its output and exit code become ours.

Its input is ours where that is a pipe.

    python -m kvtui.backend.kube.exec NAMESPACE POD CONTAINER KUBECONFIG CONTEXT COMMAND WORD…

KUBECONFIG and CONTEXT may be empty. A process of its own for each pod: the library's calls block, and one that hangs
holds nobody back.
"""

from __future__ import annotations

import importlib
import json
import os
import stat
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote, urlencode

from kvtui.backend.kube.discovery import find
from kvtui.backend.kube.errors import NO_LIBRARY, KubeError
from kvtui.model.settings import KubeSettings

if TYPE_CHECKING:
    from kvtui.backend.kube.discovery import ApiPlace

STDOUT, STDERR, ERROR = 1, 2, 3
WAIT_SECONDS = 5.0
"""How long one wait for data takes; then the connection is looked at again."""


def fail(text: str) -> NoReturn:
    """Ends with a sentence and ssh's exit code for a connection that failed."""
    sys.stderr.write(f"{text}\n")
    sys.exit(255)


def find_place(kubeconfig: str, context: str) -> ApiPlace:
    """Raises KubeError where none is configured."""
    return find(KubeSettings(kubeconfig=kubeconfig or None, context=context or None))


def main() -> None:
    namespace, pod, container, kubeconfig, context, *command = sys.argv[1:]
    try:
        from kvtui.backend.kube import access, library  # noqa: PLC0415 - the library may be missing

        client: Any = importlib.import_module("kubernetes.stream.ws_client")
        websocket: Any = importlib.import_module("websocket")
    except ImportError:
        fail(NO_LIBRARY)
    try:
        api = access.load(find_place(kubeconfig, context))
    except KubeError as error:
        fail(str(error))
    if any(name.lower().startswith("impersonate") for name in api.headers):
        fail("the kubeconfig uses impersonation, which kvtui's exec does not support: use kubectl kvtui")
    has_input = stat.S_ISFIFO(os.fstat(0).st_mode)
    streams = [(name, "true") for name in ("stdin", "stdout", "stderr")[not has_input :]]
    query = [("container", container), *streams, *(("command", w) for w in command)]
    path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/exec?{urlencode(query)}"
    authorization = api.authorization()
    headers = {"authorization": authorization} if authorization else {}
    configuration = api.client.configuration
    url = client.get_websocket_url(api.server + path)
    try:
        socket = client.WSClient(configuration, url, headers, capture_all=False, binary=True)
        if has_input:
            threading.Thread(target=_pass_in, args=(socket,), daemon=True).start()
        _pass_on(socket)
        code = _exit_code(socket.read_channel(ERROR, timeout=0))
    except BrokenPipeError:  # who started this is gone
        sys.exit(0)
    except (OSError, library.ApiException, websocket.WebSocketException) as error:
        fail(f"exec into pod {namespace}/{pod} (container {container}): {_one_line(error)}")
    sys.exit(code)


def _exit_code(text: bytes | str) -> int:
    """Reads the status of the command; ends with its message where the command was not started."""
    try:
        status = json.loads(text)
        if status.get("status") == "Success":
            return 0
        causes = (status.get("details") or {}).get("causes") or ()
        codes = [int(c["message"]) for c in causes if c.get("reason") == "ExitCode"]
    except (ValueError, TypeError, KeyError, AttributeError):
        fail("the connection ended without the command's exit code")
    return codes[0] if codes else fail(_one_line(Exception(status.get("message"))))


def _pass_in(socket: Any) -> None:
    """At its end the connection ends: the protocol cannot close the input alone."""
    while data := os.read(0, 1 << 12):
        socket.write_stdin(data)
    os._exit(255)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _pass_on(socket: Any) -> None:
    """Copies both channels until the command ends."""
    while True:
        if is_open := socket.is_open():
            socket.update(timeout=WAIT_SECONDS)
        for channel in (STDOUT, STDERR):
            data = socket.read_channel(channel)
            while data:  # os.write may take a part only
                data = data[os.write(channel, data) :]
        if not is_open:
            return


if __name__ == "__main__":
    main()
