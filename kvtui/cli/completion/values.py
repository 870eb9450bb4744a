"""Values that a shell completes: names from the node, read without signals, netlink or the API.

Typer calls these functions at a TAB. What cannot be read completes nothing and prints nothing: the operator is typing.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import typer  # noqa: TC002 - typer reads the annotations of the callbacks

from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kvtui.model.conf import Conf
    from kvtui.model.ipvs import VirtualServer
    from kvtui.model.keepalived import Keepalived

    Pairs = Iterable[tuple[str, str]]

MAX_VALUES = 500
"""More than this nobody reads, and a shell is slow to sort them."""

TYPABLE = re.compile(r"[\w.:\[\]/@+,-]+", re.ASCII)
"""What a value may consist of: a name from outside is put on a command line, so it must need no quotes there."""

FILE = "file"
"""The description of the only value where a file name is expected; the shells complete file names themselves."""


class Place:
    """Where the values come from: the demo, or the keepalived that ``--pid`` chooses.

    Args:
        demo: use the built-in cluster.
        pid: which keepalived; None for the one in this network namespace.
    """

    def __init__(self, *, demo: bool = False, pid: int | None = None) -> None:
        self.demo = demo
        self._pid = pid

    def keepaliveds(self) -> tuple[Keepalived, ...]:
        """Returns every keepalived that can be seen."""
        from kvtui.backend.linux import processes  # noqa: PLC0415 - not for the demo

        return processes.find()

    def keepalived(self) -> Keepalived | None:
        """Returns the chosen one."""
        from kvtui.backend.linux import processes  # noqa: PLC0415 - not for the demo

        return processes.choose(self.keepaliveds(), self._pid)

    def conf(self) -> Conf | None:
        """Returns its config on disk."""
        if self.demo:
            from kvtui.backend.demo.cluster import conf  # noqa: PLC0415 - only --demo needs it

            return conf(time.time())
        chosen = self.keepalived()
        if chosen is None:
            return None
        from kvtui.backend.conf import reader  # noqa: PLC0415 - not for every kind

        return reader.read(chosen.conf, root=chosen.root, config_id=chosen.instance_name, now=time.time())

    def virtual_servers(self) -> tuple[VirtualServer, ...]:
        """Returns the kernel's, from procfs, which any user may read."""
        if self.demo:
            from kvtui.backend.demo.cluster import table  # noqa: PLC0415 - only --demo needs it

            return table(0.0, time.time()).virtual_servers
        from pathlib import Path  # noqa: PLC0415 - not for every kind

        from kvtui.backend.ipvs.procfs import read_table  # noqa: PLC0415 - not for every kind

        chosen = self.keepalived()
        return read_table(Path(f"/proc/{chosen.pid if chosen else 'self'}/net")).virtual_servers


def _reals(place: Place) -> Pairs:
    """Yields each address of a real server, then each with its port."""
    from kvtui.model.ipvs import endpoint  # noqa: PLC0415 - not for every kind

    alone: dict[str, int] = {}
    whole: dict[str, int] = {}
    for virtual in place.virtual_servers():
        for real in virtual.real_servers:
            alone[real.key[0]] = alone.get(real.key[0], 0) + 1
            name = endpoint(*real.key)
            whole[name] = whole.get(name, 0) + 1
    for value, number in (*alone.items(), *whole.items()):
        yield value, f"in {number} virtual server{'s' if number > 1 else ''}"


def _services(place: Place) -> Pairs:
    """Yields virtual servers without those of a fwmark, which are two words."""
    from kvtui.model.ipvs import endpoint  # noqa: PLC0415 - not for every kind

    for virtual in place.virtual_servers():
        if virtual.fwmark is None:
            yield endpoint(virtual.address or "", virtual.port or 0), virtual.protocol.value


def _instances(place: Place) -> Pairs:
    conf = place.conf()
    for instance in conf.instances if conf else ():
        yield instance.name, f"VRID {instance.vrid} on {instance.interface}"


def _vips(place: Place) -> Pairs:
    """Yields VIPs of the config, then those with the ports of their virtual servers."""
    conf = place.conf()
    for instance in conf.instances if conf else ():
        for vip in (*instance.vips, *instance.excluded_vips):
            yield vip.address, instance.name
    yield from _services(place)


def _entries(place: Place) -> Pairs:
    """Yields the journal's actions, newest first; the demo has no lasting journal."""
    if place.demo:
        return
    from kvtui.actions.core.journal import Journal  # noqa: PLC0415 - not for every kind

    for entry in reversed(Journal().entries()):
        yield entry.id, f"{entry.verb} {entry.target}"


def _pids(place: Place) -> Pairs:
    for keepalived in () if place.demo else place.keepaliveds():
        yield str(keepalived.pid), keepalived.conf


def lines(find: Callable[[Place], Pairs], place: Place) -> list[tuple[str, str]]:
    """Returns values and descriptions, each value once, without what a shell or a terminal would act on."""
    found: dict[str, str] = {}
    try:
        for value, description in find(place):
            if TYPABLE.fullmatch(value):
                found.setdefault(value, plain(description, 60))
            if len(found) >= MAX_VALUES:
                break
    except (OSError, LookupError, ValueError):
        return []
    return list(found.items())


def _place(context: typer.Context) -> Place:
    options = context.find_root().params
    return Place(demo=bool(options.get("demo")), pid=options.get("pid"))


def reals(ctx: typer.Context) -> list[tuple[str, str]]:
    """Returns real servers."""
    return lines(_reals, _place(ctx))


def services(ctx: typer.Context) -> list[tuple[str, str]]:
    """Returns virtual servers."""
    return lines(_services, _place(ctx))


def instances(ctx: typer.Context) -> list[tuple[str, str]]:
    """Returns VRRP instances of the config."""
    return lines(_instances, _place(ctx))


def vips(ctx: typer.Context) -> list[tuple[str, str]]:
    """Returns VIPs."""
    return lines(_vips, _place(ctx))


def entries(ctx: typer.Context) -> list[tuple[str, str]]:
    """Returns ids of the journal's entries."""
    return lines(_entries, _place(ctx))


def pids(ctx: typer.Context) -> list[tuple[str, str]]:
    """Returns the PID of every keepalived."""
    return lines(_pids, _place(ctx))


def files(incomplete: str) -> list[tuple[str, str]]:
    """Returns the mark that makes the shell complete a file name."""
    return [(incomplete, FILE)]
