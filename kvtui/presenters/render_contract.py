"""The public JSON of ``kvtui render``; rules as in ``contract``."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from kvtui.model.ipvs import Protocol  # noqa: TC001 - msgspec reads the annotations
from kvtui.model.mapping import Dialect  # noqa: TC001
from kvtui.presenters.contract import Contract, Count, Head
from kvtui.rules.mapping.drift import DifferenceKind  # noqa: TC001


class Skipped(Contract, frozen=True):
    """What the controller leaves out."""

    vip: str
    port: Count | None
    why: str


class RealServerKey(Contract, frozen=True):
    """Which real server."""

    address: str
    port: Count


class Difference(Contract, frozen=True):
    """One difference of a config from what the controller should have written; null where it says nothing."""

    kind: DifferenceKind
    text: str
    vip: str | None
    port: Count | None
    protocol: Protocol | None
    real_server: RealServerKey | None
    value: str | None
    wanted: str | None
    found: str | None
    service: str | None
    pod: str | None


Compared = Annotated[
    list[Difference] | UnsetType | None,
    Meta(description="With --diff alone. Null where that config, or what is expected, is not known."),
]


class Render(Head, frozen=True):
    """What the controller should have written (kvtui render); text is null when something that it needs is missing."""

    dialect: Dialect
    dialect_reason: str
    text: str | None
    vips: list[str] | None
    skipped: list[Skipped]
    missing: list[str]
    assumed: list[str]
    file: Compared = UNSET
    running: Compared = UNSET
