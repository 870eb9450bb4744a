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

    NONE = "none"  # the Linux console and old terminals do not support it
    PLAIN = "plain"
    TMUX = "tmux"
    SCREEN = "screen"


class ClusterSettings(Struct, frozen=True):
    hosts: tuple[str, ...] = ()
    """As ssh knows them, ``pod/NAMESPACE/NAME`` with ``/CONTAINER`` (default: kvtui), or ``daemonset/NAMESPACE/NAME``
    for all its pods."""
    command: str = "kvtui"  # as the other nodes' shell takes it: `sudo kvtui`
    ssh: str = "ssh"  # the program that reaches them, with its options: `ssh -F /etc/kvtui/ssh_config`
    ignore: frozenset[str] = frozenset()  # ids of findings
    kubeconfig: str | None = None
    context: str | None = None
    pods: Mapping[str, str] = field(default_factory=dict)  # of the nodes that a DaemonSet named: node → host


class UiSettings(Struct, frozen=True):
    ascii: bool = False  # borders, sparklines and marks in ASCII only
    mouse: bool = False
    source_label: str = "live"  # in the header: `live`, `lab`, `demo` or `replay`
    theme: Theme = Theme.AUTO  # AUTO means dark here: the CLI has already detected the terminal
    clipboard: Clipboard = Clipboard.PLAIN
    keys: Mapping[str, Configured] = field(default_factory=dict)  # id of a binding → its keys, from the configuration
    notices: tuple[str, ...] = ()  # shown once at the start: unused parts of the configuration
    cluster: ClusterSettings = ClusterSettings()  # without hosts the screen Cluster is absent


class KubeSettings(Struct, frozen=True):
    """Where to find the Kubernetes API and the ConfigMap; None means automatic detection."""

    wanted: bool = True  # False with `--no-kube`
    kubeconfig: str | None = None  # path; default: `$KUBECONFIG`, `~/.kube/config`, or the pod's service account
    context: str | None = None
    configmap: str | None = None  # `namespace/name`; default: the controller's `--services-configmap`
