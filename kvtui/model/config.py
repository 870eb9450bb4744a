"""What can be configured: one list, from which the reader, ``kvtui config show`` and the manual page are made."""

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
    """How easily triage is alarmed.

    Attributes:
        timeout: how many times as long as usual a suspicion must hold to be told.
        ignore: ids of findings that are never told.
    """

    timeout: float = 1.0
    ignore: frozenset[str] = frozenset()


Value = bool | float | str | tuple[str, ...] | None


class Theme(StrEnum):
    """Colours of the terminal UI; in each of them every colour is also a mark or a word."""

    AUTO = "auto"
    """dark, or mono with NO_COLOR, or ansi16 where the terminal has 16 colours."""
    DARK = "dark"
    LIGHT = "light"
    CONTRAST = "high-contrast"
    ANSI16 = "ansi16"
    """The terminal's own 16 colours."""
    MONO = "mono"
    """No colours: bold, reverse and underlined only."""


class Kind(StrEnum):
    """What a setting's value is; the words that an error says."""

    FLAG = "true or false"
    NUMBER = "a number"
    TEXT = "text in quotes"
    NAMES = "a list of texts in quotes"


class Setting(Struct, frozen=True):
    """One setting.

    Attributes:
        key: in the file, such as ``kubernetes.configmap``.
        kind: what its value is.
        default: without any file, variable or option.
        help: one sentence.
        parameter: of the command line, by its name there; empty when only a file has it.
        variable: of the environment; empty when only a file has it.
        choices: all that it can be; empty when it is free.
        least: the smallest number that is allowed.
        inverse: the command line says the opposite (``--no-kube``).
        pattern: what a text must match as a whole, and ``shape``: the same in words.
    """

    key: str
    kind: Kind
    default: Value
    help: str
    parameter: str = ""
    variable: str = ""
    choices: tuple[str, ...] = ()
    least: float = 0.0
    inverse: bool = False
    pattern: str = ""
    shape: str = ""

    def refused(self, value: object) -> str | None:
        """What is allowed, in words, when this value is not."""
        allowed = f"one of {', '.join(self.choices)}" if self.choices else self.kind.value
        if self.kind is Kind.FLAG:
            fits = isinstance(value, bool)
        elif self.kind is Kind.NUMBER:
            fits = isinstance(value, int | float) and not isinstance(value, bool) and value >= self.least
            fits = fits and value != float("inf")
            allowed = f"a number, {self.least:g} or more"
        elif self.kind is Kind.NAMES:
            fits = isinstance(value, list) and all(isinstance(v, str) for v in value)
        else:
            fits = isinstance(value, str) and (not self.choices or value in self.choices)
            fits = fits and (not self.pattern or re.fullmatch(self.pattern, str(value)) is not None)
            allowed = self.shape or allowed
        return None if fits else allowed


SETTINGS = (
    Setting(
        "read_only",
        Kind.FLAG,
        default=False,
        help="Forbid every write, signals included.",
        parameter="read_only",
        variable="KVTUI_READ_ONLY",
    ),
    Setting(
        "interval",
        Kind.NUMBER,
        default=1.0,
        help="Seconds between readings of counters.",
        parameter="interval",
        variable="KVTUI_INTERVAL",
        least=0.2,
    ),
    Setting(
        "listen",
        Kind.NUMBER,
        default=1.2,
        help="Seconds that a command which shows waits for adverts, at most.",
        parameter="listen",
    ),
    Setting(
        "output",
        Kind.TEXT,
        default="text",
        help="What commands print.",
        parameter="output",
        variable="KVTUI_OUTPUT",
        choices=("text", "json", "yaml"),
    ),
    Setting(
        "theme",
        Kind.TEXT,
        default="auto",
        help="Colours of the terminal UI; auto asks the terminal and NO_COLOR.",
        parameter="theme",
        variable="KVTUI_THEME",
        choices=tuple(Theme),
    ),
    Setting(
        "ascii",
        Kind.FLAG,
        default=False,
        help="Draw with ASCII characters only.",
        parameter="ascii_only",
        variable="KVTUI_ASCII",
    ),
    Setting(
        "mouse",
        Kind.FLAG,
        default=False,
        help="Use the mouse (costs bytes on a slow line).",
        parameter="mouse",
        variable="KVTUI_MOUSE",
    ),
    Setting(
        "kubernetes.enabled",
        Kind.FLAG,
        default=True,
        help="Whether to ask a Kubernetes API.",
        parameter="no_kube",
        variable="KVTUI_NO_KUBE",
        inverse=True,
    ),
    Setting(
        "kubernetes.kubeconfig",
        Kind.TEXT,
        default=None,
        help="The file that says how to reach the API.",
        parameter="kubeconfig",
        variable="KVTUI_KUBECONFIG",
    ),
    Setting(
        "kubernetes.context",
        Kind.TEXT,
        default=None,
        help="Which context of it.",
        parameter="kube_context",
        variable="KVTUI_CONTEXT",
    ),
    Setting(
        "kubernetes.configmap",
        Kind.TEXT,
        default=None,
        help="The ConfigMap that maps VIPs, as NAMESPACE/NAME.",
        parameter="configmap",
        variable="KVTUI_CONFIGMAP",
        pattern=f"{NAME}/{NAME}",
        shape="NAMESPACE/NAME, such as default/vip-configmap",
    ),
    Setting(
        "triage.timeout",
        Kind.NUMBER,
        default=1.0,
        help="How many times as long as usual (an election, a rollout) a suspicion must hold to be told.",
    ),
    Setting(
        "triage.ignore",
        Kind.NAMES,
        default=(),
        help="Findings that are never told, by their id.",
    ),
)
BY_KEY = {s.key: s for s in SETTINGS}

KEYS = "keys"
"""The table that remaps keys: the id of a binding = its keys, separated by commas."""


class Configured(Struct, frozen=True):
    """A value from a file, and where it stands.

    Attributes:
        value: as the setting wants it.
        file: path.
        line: in it; None when it could not be told.
    """

    value: Value
    file: str
    line: int | None

    @property
    def where(self) -> str:
        """For sentences."""
        return f"{self.file}:{self.line}" if self.line else self.file


class Config(Struct, frozen=True):
    """What the files say, the later one's word counting.

    Attributes:
        values: setting's key → value.
        keys: binding's id → keys.
        problems: what was not used, a sentence each.
        files: path → whether it was read; in the order of reading.
    """

    values: Mapping[str, Configured] = field(default_factory=dict)
    keys: Mapping[str, Configured] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    files: Mapping[str, bool] = field(default_factory=dict)

    def value(self, key: str) -> Value:
        """A setting's value, or its default."""
        found = self.values.get(key)
        return BY_KEY[key].default if found is None else found.value

    @property
    def triage(self) -> TriageSettings:
        """How easily triage is alarmed."""
        timeout, ignored = self.value("triage.timeout"), self.value("triage.ignore")
        return TriageSettings(
            float(timeout) if isinstance(timeout, int | float) else 1.0,
            frozenset(ignored) if isinstance(ignored, tuple) else frozenset(),
        )
