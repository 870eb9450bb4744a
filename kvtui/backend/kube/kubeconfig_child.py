"""Run as a program: reads a kubeconfig with the ``kubernetes`` library, tells what is in it, and ends.

In: ``{"paths", "context"}`` as JSON on standard input. Out: the fields of ``Credentials``, or ``{"trouble"}``: a
sentence. Plugins' own output, YAML snippets and the library's messages may hold secrets: none of it is passed on.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

LIBRARY = "kubernetes>=36.0.2"
NO_LIBRARY = f"a kubeconfig is read with a Python package that is not installed: pip install '{LIBRARY}'"


class Trouble(Exception):  # noqa: N818 - a sentence for the parent process
    """What is wrong."""


class PluginLog(logging.Handler):
    """The library only logs that an exec plugin failed: keep what of that may be told.

    Attributes:
        outcome: how it ended; None when it did not fail.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.outcome: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Pick out the exit status or the missing program's name."""
        text = record.getMessage()
        if match := re.search(r"process returned (-?\d+)", text):
            self.outcome = f"ended with status {match[1]}"
        elif match := re.search(r"No such file or directory: '([\w./+-]{1,200})'", text):
            self.outcome = f"is not installed ({match[1]})"
        else:
            self.outcome = "gave no credentials"


def main() -> int:
    """Answer one question."""
    asked = json.load(sys.stdin)
    answer: dict[str, Any]
    try:
        with tempfile.TemporaryDirectory(prefix="kvtui-kube-") as folder:
            answer = read(asked["paths"], asked["context"], folder)
    except Trouble as trouble:
        answer = {"trouble": str(trouble)}
    json.dump(answer, sys.stdout)
    return 0


def read(paths: str, context: str | None, folder: str) -> dict[str, Any]:
    """The fields of ``Credentials``.

    Args:
        paths: joined by colons.
        context: None for the current one.
        folder: for the library's temporary files (mode 0700, gone afterwards).

    Raises:
        Trouble: a sentence.
    """
    try:
        import yaml  # noqa: PLC0415 - comes with the library
        from kubernetes import client, config  # noqa: PLC0415 - what this process is for
        from kubernetes.config.kube_config import KubeConfigMerger  # noqa: PLC0415
    except ImportError:
        raise Trouble(NO_LIBRARY) from None
    log = PluginLog()
    logging.getLogger().addHandler(log)
    configuration = client.Configuration()  # takes the proxy of the environment; a proxy-url of the file goes first
    try:
        merged = KubeConfigMerger(paths).config
        _check_context(merged, paths, context)
        config.load_kube_config(paths, context, configuration, persist_config=False, temp_file_path=folder)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise Trouble(f"{paths} is no YAML{where}") from None
    except config.ConfigException as error:
        raise Trouble(f"{paths} is no usable kubeconfig{_hint(str(error))}") from None
    except OSError as error:
        raise Trouble(f"{paths}: {error.filename or 'a file that it names'} cannot be read: {error.strerror}") from None
    except (TypeError, AttributeError, KeyError, ValueError):
        raise Trouble(f"{paths} is no kubeconfig: it has not the fields of one") from None
    finally:
        logging.getLogger().removeHandler(log)
    if log.outcome:
        raise Trouble(
            f"the exec plugin of {paths} {log.outcome}: try `kubectl get nodes` with the same kubeconfig to see why"
        )
    return _fields(configuration)


def _fields(configuration: Any) -> dict[str, Any]:
    authorization = configuration.api_key.get("BearerToken") or configuration.api_key.get("authorization")
    ca = configuration.ca_cert_data or _text(configuration.ssl_ca_cert)
    return {
        "server": configuration.host,
        "authorization": authorization,
        "ca": ca.decode() if isinstance(ca, bytes) else ca,
        "certificate": _text(configuration.cert_file),
        "key": _text(configuration.key_file),
        "verify": configuration.verify_ssl is not False,
        "server_name": configuration.tls_server_name,
        "proxy": configuration.proxy,
    }


def _check_context(merged: Any, paths: str, context: str | None) -> None:
    """Say which contexts there are when the wanted one is not."""
    if merged is None:
        raise Trouble(f"{paths} is empty")
    names = [c.value["name"] if hasattr(c, "value") else c["name"] for c in merged.value.get("contexts") or []]
    wanted = context or merged.value.get("current-context")
    known = ", ".join(map(str, names[:10])) or "none"
    if not wanted:
        raise Trouble(f"{paths} has no current context: choose one with --context ({known})")
    if wanted not in names:
        raise Trouble(f"{paths} has no context «{wanted}»; it has: {known}")


def _hint(message: str) -> str:
    """Of the library's messages, only the name of a missing key or file."""
    if match := re.search(r"Expected key ([\w-]{1,60}) in", message):
        return f": it lacks `{match[1]}`"
    if match := re.search(r"Expected object with name ([\w.@:/-]{1,100}) in \S*?(\w+) list", message):
        return f": {match[2]} has no «{match[1]}»"
    if match := re.search(r"File does not exist: (\S{1,200})", message):
        return f": {match[1]} is not there"
    return ""


def _text(path: str | None) -> str | None:
    return Path(path).read_text() if path else None


if __name__ == "__main__":
    sys.exit(main())
