"""An entry of the ConfigMap (VIP → Service), as keepalived-vip's controller reads it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from msgspec import Struct


class MappingState(StrEnum):
    """How the controller handles an entry."""

    OK = "ok"
    VIP_ONLY = "vip-only"  # an empty value: the controller binds the VIP and creates no virtual server
    ERROR = "error"  # the controller logs a warning and skips it


class Dialect(StrEnum):
    """Controllers with different grammars and templates."""

    V09 = "0.9"  # gcr.io/google_containers/kube-keepalived-vip:0.9: NAT only; an empty value is skipped
    CONTRIB = "contrib"  # kubernetes-retired/contrib 0.10 to its head: NAT and DR
    ALEDBF = "aledbf"  # aledbf/kube-keepalived-vip 0.15 and newer: NAT, DR, PROXY


class Mapping(Struct, frozen=True):
    """An entry as the controller understands it (kvtui.rules.mapping.grammar).

    The Service and the method are None if the value is invalid or empty.
    """

    vip: str
    value: str
    namespace: str | None
    service: str | None
    method: str | None  # `NAT`, `DR`, `PROXY`, or another text that the unanchored pattern accepts (`NATX`)
    state: MappingState
    error: str | None = None  # why the controller skips it, one sentence
    notes: tuple[str, ...] = ()  # unexpected effects that the controller does not report, one sentence each
    source: Literal["configmap", "conf"] = "configmap"
    """``conf``: there is no API, and the entry comes from keepalived.conf."""

    @property
    def target(self) -> tuple[str, str] | None:
        if self.namespace is None or self.service is None:
            return None
        return (self.namespace, self.service)
