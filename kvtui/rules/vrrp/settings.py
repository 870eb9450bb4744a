"""An instance as keepalived takes it from a config: its defaults filled in, what it ignores left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from kvtui.model.keepalived import parse_version
from kvtui.model.vrrp import AddressFamily

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kvtui.model.conf import Conf, ConfInstance, ConfScript, ConfTrack, ConfTrackFile, SyncGroup

OWNER, DEFAULT_PRIORITY = 255, 100
ACCEPTS_OTHER_VIPS = (2, 3, 3)
DEFAULT_GROUPS = {AddressFamily.V4: "224.0.0.18", AddressFamily.V6: "ff02::12"}


class Settings(Struct, frozen=True):
    """One instance of one config."""

    name: str
    interface: str | None
    vrid: int | None
    version: int
    family: AddressFamily
    priority: int  # configured (base) priority
    nopreempt: bool
    preempt_delay: float
    interval: float
    auth: str  # type and digest of the password; empty without, and in version 3, which has none
    advertised: tuple[str, ...]  # addresses in its adverts, which other nodes compare with theirs
    held: tuple[str, ...]  # every VIP that a master puts on an interface
    unicast_source: str | None
    unicast_peers: tuple[str, ...]  # canonical addresses; empty with multicast
    group: str  # multicast address; empty with unicast
    tracks: tuple[ConfTrack, ...]  # with the weights of their definitions where the instance gives none
    tracks_interface: bool
    sync_group: str | None

    @property
    def router(self) -> tuple[int | None, AddressFamily, str | None]:
        """Two instances with an equal one are the same virtual router."""
        return (self.vrid, self.family, self.interface)


def settings_of(conf: Conf | None) -> dict[str, Settings]:
    return {i.name: _settings(conf, i) for i in conf.instances} if conf is not None else {}


def _settings(conf: Conf, instance: ConfInstance) -> Settings:
    family, version = AddressFamily.of_vips(instance.vips), conf.version_of(instance)
    is_master = (instance.state or "").upper() == "MASTER"
    default = OWNER if is_master and instance.priority is None else DEFAULT_PRIORITY
    priority = instance.priority if instance.priority is not None and 1 <= instance.priority <= OWNER else default
    multicast = conf.globals.get(f"vrrp_mcast_group{family.value}") or DEFAULT_GROUPS[family]
    group = conf.sync_group_of(instance.name)
    return Settings(
        name=instance.name,
        interface=instance.interface or conf.globals.get("default_interface"),
        vrid=instance.vrid,
        version=version,
        family=family,
        priority=priority,
        nopreempt=instance.nopreempt and not is_master,  # keepalived clears it, and says so in its log
        preempt_delay=instance.preempt_delay or 0.0,
        interval=instance.advert_interval or 1.0,
        auth=f"{instance.auth_type} {instance.auth_digest}" if version == 2 and instance.auth_type else "",
        advertised=tuple(v.address for v in instance.vips),
        held=tuple(v.address for v in instance.all_vips),
        unicast_source=instance.unicast_source,
        unicast_peers=instance.unicast_peers,
        group="" if instance.unicast_peers else multicast.split(" ")[0],
        tracks=tuple(_counting((_weighted(conf, t) for t in instance.tracks), group, is_owner=priority == OWNER)),
        tracks_interface=instance.tracks_interface,
        sync_group=group.name if group else None,
    )


def _weighted(conf: Conf, track: ConfTrack) -> ConfTrack:
    """Fills in what the definition of a script or file says."""
    definitions: dict[str, tuple[ConfScript | ConfTrackFile, ...]]
    definitions = {"script": conf.scripts, "file": conf.track_files}
    found = next((d for d in definitions.get(track.kind, ()) if d.name == track.name), None)
    weight, reverse = (1 if found.weight is None else found.weight, found.reverse) if found else (0, False)
    return replace(
        track,
        weight=weight if track.weight is None else track.weight,
        reverse=reverse if track.reverse is None else track.reverse,
    )


def _counting(tracks: Iterable[ConfTrack], group: SyncGroup | None, *, is_owner: bool) -> Iterator[ConfTrack]:
    """Leaves out what keepalived does not track because it has a weight (``vrrp_complete_instance``; measured).

    That is so for an address owner, and in a sync group without ``sync_group_tracking_weight``. A group's interfaces,
    and a file with the default weight, lose the weight alone.
    """
    in_group = group is not None and not group.tracks_weights
    for track in tracks:
        if not track.weight or not (is_owner or in_group):
            yield track
        elif (track.kind == "interface" and in_group) or (track.kind == "file" and track.weight == 1):
            yield replace(track, weight=0)


def compares_vips(version: str | None) -> bool:
    """Whether this keepalived rejects adverts with other VIPs than its own: 2.2.7 does, 2.3.3 does not (measured)."""
    return (parse_version(version or "") or (0,)) < ACCEPTS_OTHER_VIPS


def must_be_equal(old: Settings, new: Settings, *, vips: bool = True) -> Iterator[str]:
    """Yields what differs of that which all nodes of a virtual router must have equal, as "name old → new".

    Nodes that differ in it reject each other's adverts, or do not receive them (measured, keepalived.md section 11).
    ``vips``: the VIPs are compared too.
    """
    if old.vrid != new.vrid:
        yield f"virtual_router_id {old.vrid} → {new.vrid}"
    if old.interface != new.interface:
        yield f"interface {old.interface} → {new.interface}"
    if bool(old.unicast_peers) != bool(new.unicast_peers):
        yield "multicast → unicast" if new.unicast_peers else "unicast → multicast"
    elif old.group != new.group:
        yield f"multicast group {old.group} → {new.group}"
    if old.version != new.version:
        yield f"vrrp_version {old.version} → {new.version}"
    elif old.auth != new.auth:
        yield _auth_change(old.auth, new.auth)
    if new.version == old.version == 2 and old.interval != new.interval:
        yield f"advert_int {old.interval:g} → {new.interval:g}"
    if vips and set(old.advertised) != set(new.advertised):
        yield f"VIPs {' '.join(old.advertised) or 'none'} → {' '.join(new.advertised) or 'none'}"


def _auth_change(old: str, new: str) -> str:
    if not old or not new:
        return "a password is required now" if new else "no password is required now"
    kinds = [text.split(" ")[0] for text in (old, new)]
    return "auth_pass changes" if kinds[0] == kinds[1] else f"auth_type {kinds[0]} → {kinds[1]}"


def starts_over(old: Settings, new: Settings) -> bool:
    """Whether keepalived takes it for another virtual router: it begins as BACKUP (measured)."""
    return old.router != new.router or bool(old.unicast_peers) != bool(new.unicast_peers) or old.group != new.group
