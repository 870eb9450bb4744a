"""A small client of the lab's API. It uses the standard library only: each import costs time on the lab's CPU."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST, PORT = "10.4.0.2", 6443
TIMEOUT = 60.0
CONFIGMAP = ("default", "vip-configmap")
Object = dict[str, Any]
GROUPS = {"endpointslices": "apis/discovery.k8s.io/v1"}


class ApiError(Exception):
    """The API cannot be reached, or refused a request; the text says which."""


def path_of(plural: str, namespace: str = "", name: str = "") -> str:
    """Returns the path of an object or of a list."""
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"/{GROUPS.get(plural, 'api/v1')}{scope}/{plural}" + (f"/{name}" if name else "")


def ask(method: str, path: str, body: Any = None) -> Any:
    """Sends one request and returns the parsed answer.

    Raises:
        ApiError: No answer, or an error.
    """
    connection = http.client.HTTPConnection(HOST, PORT, timeout=TIMEOUT)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        found = json.loads(answer.read())
    except OSError as error:
        raise ApiError(f"the lab's API at {HOST}:{PORT} does not answer: {error}") from error
    finally:
        connection.close()
    if answer.status >= http.client.BAD_REQUEST:
        raise ApiError(str(found.get("message", answer.reason)))
    return found


def get(plural: str, namespace: str = "", name: str = "") -> Any:
    """Returns one object, or the items of a list."""
    found = ask("GET", path_of(plural, namespace, name))
    return found if name else found["items"]


def put(plural: str, obj: Any) -> None:
    """Creates or replaces an object."""
    metadata = obj["metadata"]
    ask("PUT", path_of(plural, metadata.get("namespace", ""), metadata["name"]), obj)


def watch(plural: str, namespace: str = "", name: str = "") -> Iterator[Any]:
    """Yields None once the watch runs, then its events until the connection ends."""
    field = f"&fieldSelector=metadata.name%3D{name}" if name else ""
    connection = http.client.HTTPConnection(HOST, PORT)
    try:
        connection.request("GET", f"{path_of(plural, namespace)}?watch=true{field}")
        answer = connection.getresponse()
        yield None
        while line := answer.readline():
            yield json.loads(line)
    finally:
        connection.close()
