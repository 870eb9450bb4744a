"""How the terminal UI draws; plain values, so that the CLI can make them without importing Textual."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from kvtui.model.config import Theme

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kvtui.model.config import Configured


class Clipboard(StrEnum):
    """How a terminal's clipboard is reached by OSC 52."""

    NONE = "none"
    """The Linux console and old terminals have none."""
    PLAIN = "plain"
    TMUX = "tmux"
    SCREEN = "screen"


class UiSettings(Struct, frozen=True):
    """Settings of the terminal UI.

    Attributes:
        ascii: borders, sparklines and marks in ASCII only (the Linux console, an old terminal).
        mouse: let the terminal report the mouse.
        source_label: what the header says the data is: ``live``, ``demo`` or ``replay``.
        theme: colours; AUTO is dark here, since the terminal was asked before.
        clipboard: how the terminal's is reached.
        keys: id of a binding → its keys, from the configuration.
        notices: what to tell once, at the start: what of the configuration is not used.
    """

    ascii: bool = False
    mouse: bool = False
    source_label: str = "live"
    theme: Theme = Theme.AUTO
    clipboard: Clipboard = Clipboard.PLAIN
    keys: Mapping[str, Configured] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


class KubeSettings(Struct, frozen=True):
    """Where to find the Kubernetes API and the ConfigMap; None everywhere means: find out.

    Attributes:
        wanted: False with ``--no-kube``.
        kubeconfig: path; else ``$KUBECONFIG``, ``~/.kube/config``, or the pod's own service account.
        context: of the kubeconfig.
        configmap: ``namespace/name``; else the controller's ``--services-configmap``.
    """

    wanted: bool = True
    kubeconfig: str | None = None
    context: str | None = None
    configmap: str | None = None
