"""Adverts of keepalived 2.4.3 with ``auth_hmac``, recorded between two namespaces (signed-2.4.3.jsonl).

Node a (10.9.0.1, priority 110) and node b (10.9.0.2, 100) have one instance for each case: ``v3``, ``v2``, ``v3six``,
``v2six`` enforce key 1 (hex:); ``keys`` has three keys, a signs with 2 (ASCII), b with 1; ``file`` signs with key 200
(file:); ``missing``: a does not sign; ``unknown``: a signs with key 9, which b lacks; ``invalid``: another key 1;
``rollout``: a is receive-only, b permissive; ``old``: b has no auth_hmac; ``replayed``: the same advert again, with an
unknown scheme, and 10 s later.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kvtui.backend.adverts.decode import decode

if TYPE_CHECKING:
    from kvtui.model.vrrp import Advert

RECORDED = Path(__file__).with_name("signed-2.4.3.jsonl")


class Recorded(NamedTuple):
    instance: str
    outgoing: bool
    received: float
    packet: bytes

    def decoded(self) -> Advert:
        advert = decode(self.packet, received=self.received, interface="eth0", outgoing=self.outgoing)
        assert advert is not None
        return advert


def recorded() -> list[Recorded]:
    """Returns the adverts in the order in which node b captured them."""
    lines = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    return [Recorded(x["instance"], x["outgoing"], x["received"], bytes.fromhex(x["packet"])) for x in lines]


def adverts(instance: str, *, outgoing: bool = False) -> list[Advert]:
    return [one.decoded() for one in recorded() if (one.instance, one.outgoing) == (instance, outgoing)]
