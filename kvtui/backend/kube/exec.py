"""Run as a program: one command in a pod, over the official client's WebSocket. Its output and exit code become ours.

    python -m kvtui.backend.kube.exec NAMESPACE POD CONTAINER KUBECONFIG CONTEXT COMMAND WORD…

KUBECONFIG and CONTEXT may be empty. A process of its own for each pod: the library's calls block, and one that hangs
holds nobody back.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, NoReturn
from urllib.parse import quote, urlencode

STDOUT, STDERR = 1, 2
WAIT_SECONDS = 5.0
"""How long one wait for data takes; then the connection is looked at again."""


def fail(text: str, code: int = 255) -> NoReturn:
    """Ends with a sentence and ssh's exit code for a connection that failed."""
    sys.stderr.write(f"{text}\n")
    sys.exit(code)


def main() -> None:
    namespace, pod, container, kubeconfig, context, *command = sys.argv[1:]
    try:
        from kvtui.backend.kube import access, library  # noqa: PLC0415 - the library may be missing

        client: Any = importlib.import_module("kubernetes.stream.ws_client")
    except ImportError:
        from kvtui.backend.kube.child import NO_LIBRARY  # noqa: PLC0415 - only then

        fail(NO_LIBRARY)
    from kvtui.backend.kube.discovery import find  # noqa: PLC0415 - after the library, with the next ones
    from kvtui.backend.kube.errors import AccessError, NotConfiguredError, NotWantedError  # noqa: PLC0415
    from kvtui.model.settings import KubeSettings  # noqa: PLC0415

    try:
        api = access.load(find(KubeSettings(kubeconfig=kubeconfig or None, context=context or None)))
    except (AccessError, NotConfiguredError, NotWantedError) as error:
        fail(str(error))
    if any(name.lower().startswith("impersonate") for name in api.headers):
        fail("the kubeconfig impersonates somebody, which the library's exec does not do: use kubectl kvtui")
    query = [("container", container), ("stdout", "true"), ("stderr", "true"), *(("command", w) for w in command)]
    path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/exec?{urlencode(query)}"
    authorization = api.authorization()
    headers = {"authorization": authorization} if authorization else {}
    configuration = api.client.configuration
    url = client.get_websocket_url(api.server + path)
    try:
        socket = client.WSClient(configuration, url, headers, capture_all=False, binary=True)
        _pass_on(socket)
        code = socket.returncode
    except BrokenPipeError:  # who started this is gone
        sys.exit(0)
    except (OSError, library.ApiException, *_library_errors()) as error:
        fail(f"exec into pod {namespace}/{pod} (container {container}): {_one_line(error)}")
    sys.exit(255 if code is None else code)


def _library_errors() -> tuple[type[Exception], ...]:
    websocket: Any = importlib.import_module("websocket")
    return (websocket.WebSocketException,)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _pass_on(socket: Any) -> None:
    """Copies both channels until the command ends."""
    while True:
        is_open = socket.is_open()
        if is_open:
            socket.update(timeout=WAIT_SECONDS)
        for channel in (STDOUT, STDERR):
            data = socket.read_channel(channel)
            while data:  # os.write may take a part only
                data = data[os.write(channel, data) :]
        if not is_open:
            return


if __name__ == "__main__":
    main()
