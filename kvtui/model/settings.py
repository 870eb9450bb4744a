"""Settings of the terminal UI and the Kubernetes API; the CLI builds them without importing Textual."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from kvtui.model.config import Theme

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kvtui.model.config import Configured


def names(text: str | None) -> tuple[str, ...]:
    """Returns the parts of an option that takes names separated by commas."""
    return tuple(name for part in (text or "").split(",") if (name := part.strip()))


class Clipboard(StrEnum):
    """How to send OSC 52 to the terminal's clipboard."""

    NONE = "none"
    """The Linux console and old terminals do not support it."""
    PLAIN = "plain"
    TMUX = "tmux"
    SCREEN = "screen"


class ClusterSettings(Struct, frozen=True):
    """How to reach the other nodes.

    Attributes:
        hosts: as ssh knows them, ``pod/NAMESPACE/NAME`` with ``/CONTAINER`` (default: kvtui), or
            ``daemonset/NAMESPACE/NAME`` for all its pods.
        pods: the pods of nodes that a DaemonSet named: node → host.
        command: kvtui on the other nodes, as their shell takes it: ``sudo kvtui``.
        ignore: ids of findings that are not reported.
        ssh: the program that reaches them, with its options: ``ssh -F /etc/kvtui/ssh_config``.
    """

    hosts: tuple[str, ...] = ()
    command: str = "kvtui"
    ssh: str = "ssh"
    ignore: frozenset[str] = frozenset()
    kubeconfig: str | None = None
    context: str | None = None
    pods: Mapping[str, str] = field(default_factory=dict)


class UiSettings(Struct, frozen=True):
    """Settings of the terminal UI.

    Attributes:
        ascii: borders, sparklines and marks in ASCII only.
        source_label: shown in the header: ``live``, ``lab``, ``demo`` or ``replay``.
        theme: AUTO means dark here: the CLI has already detected the terminal.
        keys: id of a binding → its keys, from the configuration.
        cluster: the other nodes; without hosts the screen Cluster is absent.
        notices: shown once at the start: unused parts of the configuration.
    """

    ascii: bool = False
    mouse: bool = False
    source_label: str = "live"
    theme: Theme = Theme.AUTO
    clipboard: Clipboard = Clipboard.PLAIN
    keys: Mapping[str, Configured] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    cluster: ClusterSettings = ClusterSettings()


class KubeSettings(Struct, frozen=True):
    """Where to find the Kubernetes API and the ConfigMap; None means automatic detection.

    Attributes:
        wanted: False with ``--no-kube``.
        kubeconfig: path; default: ``$KUBECONFIG``, ``~/.kube/config``, or the pod's service account.
        configmap: ``namespace/name``; default: the controller's ``--services-configmap``.
    """

    wanted: bool = True
    kubeconfig: str | None = None
    context: str | None = None
    configmap: str | None = None
