"""One link of a chain: a layer, its mark, the evidence, how old it is, and what to do when it is broken."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

DOUBT = " (as it was read last: "
"""Begins why a detail may be old, at its end."""


class Layer(StrEnum):
    """The layers between a ConfigMap's entry and a client's answer, in the order in which one is made of the other."""

    CONFIGMAP = "configmap"
    SERVICE = "service"
    ENDPOINTS = "endpoints"
    CONF = "conf"
    RUNNING = "running"
    IPVS = "ipvs"
    ADDRESS = "address"
    VRRP = "vrrp"
    CONNECT = "connect"
    """Only where it was asked for: a TCP connect to the VIP."""

    @property
    def words(self) -> str:
        """What a person calls it."""
        return _WORDS[self]

    @property
    def letter(self) -> str:
        """The head of its mark's column."""
        return _LETTERS[self]


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
_LETTERS = dict(zip(Layer, "MSECRIAVT", strict=True))

LAYERS = tuple(layer for layer in Layer if layer is not Layer.CONNECT)
"""Those that every chain has."""

LETTERS = "".join(layer.letter for layer in LAYERS)
"""The head of a column with one mark a layer: ``MSECRIAV``."""


class Mark(StrEnum):
    """Whether a layer is whole."""

    OK = "ok"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    NONE = "none"
    """Nothing is expected of this layer: a VIP without a virtual server has no IPVS part."""


_WORST_FIRST = (Mark.BROKEN, Mark.UNKNOWN, Mark.OK, Mark.NONE)


class Link(Struct, frozen=True):
    """One layer of a chain.

    Attributes:
        layer: which.
        mark: whether it is whole.
        detail: the evidence, in a sentence; may hold text from outside.
        age: seconds since its source was known to be current; None when it never was.
        remedy: what to do next when it is broken: a sentence, or a command with its remark after ``  # ``;
            empty otherwise.
    """

    layer: Layer
    mark: Mark
    detail: str
    age: float | None = None
    remedy: str = ""

    @property
    def ok(self) -> bool | None:
        """True, False, or None where it is not known or nothing is expected."""
        return {Mark.OK: True, Mark.BROKEN: False}.get(self.mark)


Links = tuple[Link, ...]


def first_break(links: Links) -> Link | None:
    """The first layer that is broken; None when none is known to be."""
    return next((link for link in links if link.mark is Mark.BROKEN), None)


def whole(links: Links) -> bool | None:
    """Whether nothing is broken; None when some layer could not be judged and none is known to be broken."""
    if first_break(links) is not None:
        return False
    return None if any(link.mark is Mark.UNKNOWN for link in links) else True


def folded(chains: tuple[Links, ...]) -> Links:
    """Several ports' chains as one: each layer as bad as its worst, in the words of those that are so bad."""
    return chains[0] if len(chains) == 1 else tuple(worst(same) for same in zip(*chains, strict=True))


def worst(links: Links) -> Link:
    """Several of one layer as one: as bad as the worst, in the words of those that are so bad."""
    mark = min((link.mark for link in links), key=_WORST_FIRST.index)
    alike = [link for link in links if link.mark is mark]
    return replace(alike[0], detail=joined([link.detail for link in alike]))


def joined(details: list[str]) -> str:
    """Returns several details as one; what they share, such as why all of them are old, is said once."""
    heads = dict.fromkeys(detail.partition(DOUBT)[0] for detail in details)
    doubts = dict.fromkeys(doubt[:-1] for detail in details if (doubt := detail.partition(DOUBT)[2]))
    return "; ".join(heads) + (f"{DOUBT}{'; '.join(doubts)})" if doubts else "")
