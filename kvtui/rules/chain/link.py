"""The links of a chain: layer, mark, evidence, age and remedy."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

OUTDATED = " (may be outdated: "
"""Starts the last part of a detail whose source may not be current."""


class Layer(StrEnum):
    """The layers from the ConfigMap's entry to the client's answer; each is derived from the one before it."""

    CONFIGMAP = "configmap"
    SERVICE = "service"
    ENDPOINTS = "endpoints"
    CONF = "conf"
    RUNNING = "running"
    IPVS = "ipvs"
    ADDRESS = "address"
    VRRP = "vrrp"
    CONNECT = "connect"
    """A TCP connect to the VIP; only on request."""

    @property
    def words(self) -> str:
        return _WORDS[self]


_WORDS = {
    Layer.CONFIGMAP: "ConfigMap",
    Layer.SERVICE: "Service",
    Layer.ENDPOINTS: "endpoints",
    Layer.CONF: "config file",
    Layer.RUNNING: "running config",
    Layer.IPVS: "IPVS",
    Layer.ADDRESS: "address",
    Layer.VRRP: "VRRP owner",
    Layer.CONNECT: "TCP connect",
}

LAYERS = tuple(layer for layer in Layer if layer is not Layer.CONNECT)
"""The layers of every chain."""


class Mark(StrEnum):
    """The state of a layer."""

    OK = "ok"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    NONE = "none"
    """The layer is not needed: a VIP without a virtual server has no IPVS layer."""


_WORST_FIRST = (Mark.BROKEN, Mark.UNKNOWN, Mark.OK, Mark.NONE)


class ChainLink(Struct, frozen=True):
    """A layer of a chain.

    Attributes:
        detail: the evidence, in a sentence; may contain text from outside.
        age: seconds since its source was known to be current; None if never.
        remedy: next step if it is broken: an instruction, or a command with a comment after ``  # ``; else empty.
    """

    layer: Layer
    mark: Mark
    detail: str
    age: float | None = None
    remedy: str = ""

    @property
    def ok(self) -> bool | None:
        return {Mark.OK: True, Mark.BROKEN: False}.get(self.mark)


class LayerReading(Struct, frozen=True):
    """A layer and the age of its source: makes the layer's link."""

    layer: Layer
    age: float | None = None

    def ok(self, detail: str) -> ChainLink:
        return ChainLink(self.layer, Mark.OK, detail, self.age)

    def broken(self, detail: str, remedy: str) -> ChainLink:
        return ChainLink(self.layer, Mark.BROKEN, detail, self.age, remedy)

    def unknown(self, detail: str, remedy: str = "") -> ChainLink:
        return ChainLink(self.layer, Mark.UNKNOWN, detail, self.age, remedy)

    def none(self, detail: str) -> ChainLink:
        return ChainLink(self.layer, Mark.NONE, detail, self.age)


Links = tuple[ChainLink, ...]


def first_break(links: Links) -> ChainLink | None:
    return next((link for link in links if link.mark is Mark.BROKEN), None)


def whole(links: Links) -> bool | None:
    """Returns whether no layer is broken; None if none is known to be broken and some are unknown."""
    if first_break(links) is not None:
        return False
    return None if any(link.mark is Mark.UNKNOWN for link in links) else True


def folded(chains: tuple[Links, ...]) -> Links:
    """Combines the chains of several ports: each layer with its worst mark."""
    return chains[0] if len(chains) == 1 else tuple(worst(same) for same in zip(*chains, strict=True))


def worst(links: Links) -> ChainLink:
    mark = min((link.mark for link in links), key=_WORST_FIRST.index)
    selected = [link for link in links if link.mark is mark]
    return replace(selected[0], detail=_joined([link.detail for link in selected]))


def _joined(details: list[str]) -> str:
    """Joins details; a common part, such as why all of them may be outdated, appears once."""
    heads = dict.fromkeys(detail.partition(OUTDATED)[0] for detail in details)
    reasons = dict.fromkeys(reason[:-1] for detail in details if (reason := detail.partition(OUTDATED)[2]))
    return "; ".join(heads) + (f"{OUTDATED}{'; '.join(reasons)})" if reasons else "")
