"""Values that a shell completes: read from the node without Typer, signals, netlink or the API, in a quarter second.

A completion script asks with ``_KVTUI_VALUES=real kvtui --demo``: a kind, and the options before the command. Each
answer is a line, ``value TAB what it is``. Whatever cannot be read completes nothing, and says nothing: the operator
is in the middle of typing.
"""

from __future__ import annotations

import os
import re
import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING

from kvtui.model.ipvs import endpoint
from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kvtui.model.conf import Conf
    from kvtui.model.ipvs import VirtualServer
    from kvtui.model.keepalived import Keepalived

    Pairs = Iterable[tuple[str, str]]

VARIABLE = "_KVTUI_VALUES"
MOST = 500
"""Values: more than this nobody reads, and a shell is slow to sort them."""

TYPABLE = re.compile(r"[\w.:\[\]/@+,-]+", re.ASCII)
"""What a value may consist of: a name from outside is put on a command line, so it must need no quotes there."""


class Place:
    """Where the values come from: the demo, or the keepalived that the options before the command choose.

    Args:
        words: those options.
        env: the environment.
    """

    def __init__(self, words: Sequence[str], env: Mapping[str, str]) -> None:
        self.demo = "--demo" in words or env.get("KVTUI_DEMO", "").lower() in {"1", "true", "yes", "on", "t", "y"}
        given = [b for a, b in pairwise(words) if a == "--pid"]
        given += [w.removeprefix("--pid=") for w in words if w.startswith("--pid=")]
        number = (given or [env.get("KVTUI_PID", "")])[-1]
        self._pid = int(number) if number.isdecimal() else None

    def keepaliveds(self) -> tuple[Keepalived, ...]:
        """Every keepalived that can be seen."""
        from kvtui.backend import processes  # noqa: PLC0415 - not for the demo

        return processes.find()

    def keepalived(self) -> Keepalived | None:
        """The chosen one."""
        from kvtui.backend import processes  # noqa: PLC0415 - not for the demo

        return processes.choose(self.keepaliveds(), self._pid)

    def conf(self) -> Conf | None:
        """Its config on disk."""
        if self.demo:
            from kvtui.backend.demo.cluster import conf  # noqa: PLC0415 - only --demo needs it

            return conf(time.time())
        chosen = self.keepalived()
        if chosen is None:
            return None
        from kvtui.backend.conf import reader  # noqa: PLC0415 - not for every kind

        return reader.read(chosen.conf, root=chosen.root, config_id=chosen.instance_name, now=time.time())

    def virtual_servers(self) -> tuple[VirtualServer, ...]:
        """The kernel's, from procfs: any user may read it."""
        if self.demo:
            from kvtui.backend.demo.cluster import table  # noqa: PLC0415 - only --demo needs it

            return table(0.0, time.time()).virtual_servers
        from pathlib import Path  # noqa: PLC0415 - not for every kind

        from kvtui.backend.ipvs.procfs import read_table  # noqa: PLC0415 - not for every kind

        chosen = self.keepalived()
        return read_table(Path(f"/proc/{chosen.pid if chosen else 'self'}/net")).virtual_servers


def reals(place: Place) -> Pairs:
    """Real servers: each address, then each with its port."""
    alone: dict[str, int] = {}
    whole: dict[str, int] = {}
    for virtual in place.virtual_servers():
        for real in virtual.real_servers:
            alone[real.key[0]] = alone.get(real.key[0], 0) + 1
            name = endpoint(*real.key)
            whole[name] = whole.get(name, 0) + 1
    for value, number in (*alone.items(), *whole.items()):
        yield value, f"in {number} virtual server{'s' if number > 1 else ''}"


def services(place: Place) -> Pairs:
    """Virtual servers; a fwmark is two words and is left out."""
    for virtual in place.virtual_servers():
        if virtual.fwmark is None:
            yield endpoint(virtual.address or "", virtual.port or 0), virtual.protocol.value


def instances(place: Place) -> Pairs:
    """VRRP instances of the config."""
    conf = place.conf()
    for instance in conf.instances if conf else ():
        yield instance.name, f"VRID {instance.vrid} on {instance.interface}"


def vips(place: Place) -> Pairs:
    """VIPs of the config, then those with the ports of their virtual servers."""
    conf = place.conf()
    for instance in conf.instances if conf else ():
        for vip in (*instance.vips, *instance.excluded_vips):
            yield vip.address, instance.name
    yield from services(place)


def entries(place: Place) -> Pairs:
    """The journal's actions, newest first; the demo's die with it."""
    if place.demo:
        return
    from kvtui.actions.core.journal import Journal  # noqa: PLC0415 - not for every kind

    for entry in reversed(Journal().entries()):
        yield entry.id, f"{entry.verb} {entry.target}"


def pids(place: Place) -> Pairs:
    """Every keepalived."""
    for keepalived in () if place.demo else place.keepaliveds():
        yield str(keepalived.pid), keepalived.conf


OF: dict[str, Callable[[Place], Pairs]] = {
    "real": reals,
    "service": services,
    "instance": instances,
    "vip": vips,
    "entry": entries,
    "pid": pids,
}


def lines(kind: str, place: Place) -> list[str]:
    """The values of a kind as a shell reads them: each once, nothing that a shell or a terminal would obey."""
    found: dict[str, str] = {}
    try:
        for value, what in OF[kind](place) if kind in OF else ():
            if TYPABLE.fullmatch(value):
                found.setdefault(value, plain(what, 60))
            if len(found) >= MOST:
                break
    except (OSError, LookupError, ValueError):
        return []
    return [f"{value}\t{what}" for value, what in found.items()]


def answer() -> None:
    """Print the values that the environment asks for."""
    found = lines(os.environ[VARIABLE], Place(sys.argv[1:], os.environ))
    sys.stdout.write("".join(f"{line}\n" for line in found))
