"""Chains for tests: a complete one, and changes that break it."""

from __future__ import annotations

from typing import Any

from kvtui.model.source import Source, SourceName, SourceState
from kvtui.rules.chain import LAYERS, ChainIndex, ChainLink, Layer, Mark, chain_of
from kvtui.rules.observe import observe
from tests.kit import (
    conf,
    conf_real,
    snapshot,
    sources,
)

CLUSTER = (Layer.CONFIGMAP, Layer.SERVICE, Layer.ENDPOINTS)
ALL_OK = dict.fromkeys(LAYERS, Mark.OK) | dict.fromkeys(CLUSTER, Mark.UNKNOWN)
"""On a node whose API is not queried."""
NO_IPVS = Source(SourceName.IPVS, SourceState.UNAVAILABLE, "the ip_vs module is not loaded: modprobe ip_vs")


def links(**changes: Any) -> tuple[ChainLink, ...]:
    seen = observe(snapshot(**changes))
    assert seen.vips is not None
    return chain_of(ChainIndex(seen), seen.vips[0].address, view=seen.vips[0])


def marks(found: tuple[ChainLink, ...]) -> dict[Layer, Mark]:
    assert [link.layer for link in found] == list(LAYERS)
    return {link.layer: link.mark for link in found}


def detail_of(found: tuple[ChainLink, ...], layer: Layer) -> str:
    return next(link.detail for link in found if link.layer is layer)


WRITTEN = conf(conf_real(5), conf_real(6))


UNKNOWN: dict[str, tuple[dict[str, Any], Layer, str]] = {
    "config": ({"conf": None}, Layer.CONF, "the config file cannot be read"),
    "running": (
        {"running": None},
        Layer.RUNNING,
        "the running config cannot be read (needs keepalived ≥ 2.2.0 and root)",
    ),
    "ipvs": ({"ipvs": None, "sources": (NO_IPVS, *sources())}, Layer.IPVS, NO_IPVS.detail),
    "addresses": ({"addresses": None}, Layer.ADDRESS, "the addresses of this node cannot be read"),
    "adverts": ({"advertisers": None}, Layer.VRRP, "kvtui has not captured an advert"),
}
