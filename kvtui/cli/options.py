"""Options of several commands."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from kvtui.cli.completion import values
from kvtui.model.config import NAME, ColourMode, Theme
from kvtui.model.mapping import Dialect

WatchOption = Annotated[
    bool,
    typer.Option(
        "--watch",
        "-w",
        help="Until Ctrl+C: a terminal is redrawn in place; a pipe gets the lines that changed, or with JSON and YAML "
        "a document at every change and every --interval seconds.",
    ),
]
ListenOption = Annotated[
    float,
    typer.Option(
        "--listen", min=0, help="Maximum seconds to wait for adverts, which tell the owner of each VIP. 0: do not wait."
    ),
]
DEFAULT_LISTEN_SECONDS = 1.2
"""Longer than the default interval of adverts (``advert_int 1``)."""

DialectOption = Annotated[
    Dialect | None, typer.Option("--dialect", help="Which controller writes the file; default: guessed, and named.")
]

_NAME = re.compile(NAME)


def _namespaced(value: str | None) -> str | None:
    """Checks ``namespace/name`` here, so that a mistake is a usage error and not a failed request."""
    namespace, slash, name = (value or "").partition("/")
    if value is not None and not (slash and _NAME.fullmatch(namespace) and _NAME.fullmatch(name)):
        raise typer.BadParameter("write NAMESPACE/NAME, such as default/vip-configmap")
    return value


KubeconfigOption = Annotated[
    str | None,
    typer.Option(
        "--kubeconfig",
        envvar="KVTUI_KUBECONFIG",
        metavar="FILE",
        autocompletion=values.files,
        help="Kubeconfig of the API. Default: the pod's service account, $KUBECONFIG, ~/.kube/config.",
    ),
]
ContextOption = Annotated[
    str | None, typer.Option("--context", envvar="KVTUI_CONTEXT", metavar="NAME", help="Context of the kubeconfig.")
]
ConfigMapOption = Annotated[
    str | None,
    typer.Option(
        "--configmap",
        envvar="KVTUI_CONFIGMAP",
        metavar="NS/NAME",
        callback=_namespaced,
        help="ConfigMap that maps VIPs to Services. Default: the controller's own --services-configmap.",
    ),
]
ThemeOption = Annotated[
    Theme, typer.Option("--theme", envvar="KVTUI_THEME", help="Colours; auto depends on the terminal and NO_COLOR.")
]
ColourOption = Annotated[
    ColourMode,
    typer.Option("--color", envvar="KVTUI_COLOR", help="Colours of text; auto: on a terminal without NO_COLOR."),
]
HostsOption = Annotated[
    str | None,
    typer.Option(
        "--hosts",
        envvar="KVTUI_HOSTS",
        metavar="HOST,...",
        help="The other nodes, as ssh knows them, or pod/NAMESPACE/NAME.",
    ),
]
NoKubeOption = Annotated[
    bool,
    typer.Option(
        "--no-kube/--kube",
        envvar="KVTUI_NO_KUBE",
        help="Do not use a Kubernetes API; mappings then come from keepalived.conf.",
    ),
]
