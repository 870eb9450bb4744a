"""The settings: the reader, ``kvtui config show`` and the manual page are made from this list."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
"""A name in the Kubernetes API (RFC 1123 subdomain)."""


class TriageSettings(Struct, frozen=True):
    hold_factor: float = 1.0
    ignore: frozenset[str] = frozenset()


Value = bool | float | str | tuple[str, ...] | None


class Theme(StrEnum):
    """Colours of the terminal UI; a mark or a word always says the same as a colour."""

    AUTO = "auto"  # dark; mono with NO_COLOR; ansi16 in a terminal with 16 colours
    DARK = "dark"
    LIGHT = "light"
    CONTRAST = "high-contrast"
    ANSI16 = "ansi16"  # the terminal's own 16 colours
    MONO = "mono"  # no colours: bold, reverse and underlined only


class ColourMode(StrEnum):
    AUTO = "auto"  # on a terminal without NO_COLOR
    ALWAYS = "always"
    NEVER = "never"


class Kind(StrEnum):
    """Type of a setting's value, as an error message names it."""

    FLAG = "true or false"
    NUMBER = "a number"
    TEXT = "text in quotes"
    NAMES = "a list of texts in quotes"


class Setting(Struct, frozen=True):
    """One setting; texts are empty where there is no option, variable or restriction."""

    key: str  # in the file, such as `kubernetes.configmap`
    kind: Kind
    help: str
    parameter: str = ""  # name of the option's parameter
    variable: str = ""  # of the environment
    default: Value = None
    choices: tuple[str, ...] = ()
    minimum: float = 0.0
    inverse: bool = False  # the option means the opposite (`--no-kube`)
    pattern: str = ""  # regular expression for the whole text; `shape` describes it
    shape: str = ""

    def refused(self, value: object) -> str | None:
        allowed = f"one of {', '.join(self.choices)}" if self.choices else self.kind.value
        if self.kind is Kind.FLAG:
            fits = isinstance(value, bool)
        elif self.kind is Kind.NUMBER:
            fits = isinstance(value, int | float) and not isinstance(value, bool) and value >= self.minimum
            fits = fits and value != float("inf")
            allowed = f"a number, {self.minimum:g} or more"
        elif self.kind is Kind.NAMES:
            fits = isinstance(value, list) and all(isinstance(v, str) for v in value)
        else:
            fits = isinstance(value, str) and (not self.choices or value in self.choices)
            fits = fits and (not self.pattern or re.fullmatch(self.pattern, str(value)) is not None)
            allowed = self.shape or allowed
        return None if fits else allowed


OUTPUTS = ("text", "wide", "name", "json", "yaml")
SETTINGS = (
    Setting(
        "read_only", Kind.FLAG, "Forbid every write, signals included.", "read_only", "KVTUI_READ_ONLY", default=False
    ),
    Setting(
        "interval", Kind.NUMBER, "Seconds between readings of counters.", "interval", "KVTUI_INTERVAL", 1.0, minimum=0.2
    ),
    Setting("listen", Kind.NUMBER, "Maximum seconds that a view waits for adverts.", "listen", default=1.2),
    Setting("output", Kind.TEXT, "Output format of commands.", "output", "KVTUI_OUTPUT", "text", OUTPUTS),
    Setting(
        "color",
        Kind.TEXT,
        "Colours of text output; auto: on a terminal without NO_COLOR.",
        "color",
        "KVTUI_COLOR",
        "auto",
        choices=tuple(ColourMode),
    ),
    Setting(
        "theme",
        Kind.TEXT,
        "Colours of the terminal UI; auto depends on the terminal and NO_COLOR.",
        "theme",
        "KVTUI_THEME",
        "auto",
        choices=tuple(Theme),
    ),
    Setting("ascii", Kind.FLAG, "Draw with ASCII characters only.", "ascii_only", "KVTUI_ASCII", default=False),
    Setting("mouse", Kind.FLAG, "Use the mouse (costs bytes on a slow line).", "mouse", "KVTUI_MOUSE", default=False),
    Setting(
        "kubernetes.enabled",
        Kind.FLAG,
        "Whether to use a Kubernetes API.",
        "no_kube",
        "KVTUI_NO_KUBE",
        default=True,
        inverse=True,
    ),
    Setting("kubernetes.kubeconfig", Kind.TEXT, "Kubeconfig of the API.", "kubeconfig", "KVTUI_KUBECONFIG"),
    Setting("kubernetes.context", Kind.TEXT, "Context of the kubeconfig.", "kube_context", "KVTUI_CONTEXT"),
    Setting(
        "kubernetes.configmap",
        Kind.TEXT,
        "ConfigMap that maps VIPs to Services, as NAMESPACE/NAME.",
        "configmap",
        "KVTUI_CONFIGMAP",
        pattern=f"{NAME}/{NAME}",
        shape="NAMESPACE/NAME, such as default/vip-configmap",
    ),
    Setting(
        "cluster.hosts",
        Kind.NAMES,
        "The other nodes, as ssh knows them, or pod/NAMESPACE/NAME.",
        "hosts",
        "KVTUI_HOSTS",
        (),
    ),
    Setting(
        "cluster.command", Kind.TEXT, "How kvtui is started on the other nodes, such as sudo kvtui.", default="kvtui"
    ),
    Setting("cluster.ssh", Kind.TEXT, "The program that reaches the other nodes, with its options.", default="ssh"),
    Setting(
        "triage.hold_factor",
        Kind.NUMBER,
        "Factor on the time that a condition must hold to be a finding (usually that of an election or rollout).",
        default=1.0,
    ),
    Setting("triage.ignore", Kind.NAMES, "Ids of findings that are never reported.", default=()),
)
BY_KEY = {s.key: s for s in SETTINGS}

KEYS = "keys"
"""Name of the table that remaps keys: id of a binding = its keys, separated by commas."""


class Configured(Struct, frozen=True):
    """A value from a file; ``line`` is None when it is unknown."""

    value: Value
    file: str
    line: int | None

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Config(Struct, frozen=True):
    """The values of all files; a later file overrides an earlier one."""

    values: Mapping[str, Configured] = field(default_factory=dict)
    keys: Mapping[str, Configured] = field(default_factory=dict)  # binding's id → keys
    problems: tuple[str, ...] = ()  # a message for each entry that kvtui cannot use
    files: Mapping[str, bool] = field(default_factory=dict)  # path → whether it was read; in the order of reading

    def value(self, key: str) -> Value:
        configured = self.values.get(key)
        return BY_KEY[key].default if configured is None else configured.value

    @property
    def triage(self) -> TriageSettings:
        factor, ignored = self.value("triage.hold_factor"), self.value("triage.ignore")
        return TriageSettings(
            float(factor) if isinstance(factor, int | float) else 1.0,
            frozenset(ignored) if isinstance(ignored, tuple) else frozenset(),
        )
