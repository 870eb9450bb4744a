"""Options that several commands have."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from kvtui.cli.completion import values
from kvtui.cli.output import Format
from kvtui.model.config import NAME, Theme
from kvtui.model.mapping import Dialect

FormatOption = Annotated[Format | None, typer.Option("-o", "--output", help="text, json or yaml.")]
WatchOption = Annotated[
    bool, typer.Option("--watch", "-w", help="Again at every change, and every --interval seconds, until Ctrl+C.")
]
ListenOption = Annotated[
    float,
    typer.Option(
        "--listen",
        min=0,
        help="Seconds to wait for adverts, at most: the owner of a VIP is known from the wire. 0: do not wait.",
    ),
]
LISTEN = 1.2
"""Seconds: adverts come once a second by default (``advert_int 1``)."""

DialectOption = Annotated[
    Dialect | None, typer.Option("--dialect", help="Which controller writes it; else guessed, and said so.")
]

_NAME = re.compile(NAME)


def _namespaced(value: str | None) -> str | None:
    """``namespace/name``, as the API allows names: usage is told at once, not by a failing request."""
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
        help="How to reach the Kubernetes API; else the pod's service account, $KUBECONFIG, ~/.kube/config.",
    ),
]
ContextOption = Annotated[
    str | None, typer.Option("--context", envvar="KVTUI_CONTEXT", metavar="NAME", help="Which context of it.")
]
ConfigMapOption = Annotated[
    str | None,
    typer.Option(
        "--configmap",
        envvar="KVTUI_CONFIGMAP",
        metavar="NS/NAME",
        callback=_namespaced,
        help="The ConfigMap that maps VIPs; else the controller's own --services-configmap.",
    ),
]
ThemeOption = Annotated[
    Theme,
    typer.Option("--theme", envvar="KVTUI_THEME", help="Colours; auto asks the terminal and NO_COLOR."),
]
NoKubeOption = Annotated[
    bool,
    typer.Option(
        "--no-kube/--kube", envvar="KVTUI_NO_KUBE", help="Ask no Kubernetes API; mappings from keepalived.conf."
    ),
]
