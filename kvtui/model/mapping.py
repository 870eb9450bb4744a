"""One entry of the ConfigMap (VIP → Service), as keepalived-vip's controller reads it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from msgspec import Struct


class MappingState(StrEnum):
    """What becomes of an entry."""

    OK = "ok"
    VIP_ONLY = "vip-only"
    """An empty value: the VIP is bound, no virtual server is made."""
    ERROR = "error"
    """The controller warns in its log and skips it."""


class Dialect(StrEnum):
    """The controllers whose grammar and template differ."""

    V09 = "0.9"
    """gcr.io/google_containers/kube-keepalived-vip:0.9: NAT only; an empty value is skipped."""
    CONTRIB = "contrib"
    """kubernetes-retired/contrib 0.10 to its head: NAT and DR."""
    ALEDBF = "aledbf"
    """aledbf/kube-keepalived-vip 0.15 and newer: NAT, DR, PROXY."""


class Mapping(Struct, frozen=True):
    """One entry and what the controller makes of it (kvtui.rules.mapping.grammar).

    Attributes:
        vip: the key, as it is written.
        value: as it is written.
        namespace: of the Service; None when the value is an error or empty.
        service: name of the Service; None likewise.
        method: ``NAT``, ``DR``, ``PROXY``, or what the unanchored pattern lets through (``NATX``); None likewise.
        state: ok, vip-only, error.
        error: what the controller says, in a plain sentence; None when there is none.
        notes: where it silently does something odd, a plain sentence each.
        source: ``configmap``; or ``conf`` when there is no API and keepalived.conf's own comments and blocks told.
    """

    vip: str
    value: str
    namespace: str | None
    service: str | None
    method: str | None
    state: MappingState
    error: str | None = None
    notes: tuple[str, ...] = ()
    source: Literal["configmap", "conf"] = "configmap"

    @property
    def target(self) -> tuple[str, str] | None:
        """Namespace and name of the Service."""
        if self.namespace is None or self.service is None:
            return None
        return (self.namespace, self.service)
