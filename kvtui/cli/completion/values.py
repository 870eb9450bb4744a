"""Values that a shell completes: names of the node, read without signals, netlink or the API.

Typer calls these functions at a TAB. An error completes nothing and prints nothing, because the operator is typing.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from typing import TYPE_CHECKING

import typer  # noqa: TC002 - typer reads the annotations of the callbacks

from kvtui.model.keepalived import KeepalivedNotFoundError
from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kvtui.model.conf import Conf
    from kvtui.model.ipvs import VirtualServer
    from kvtui.model.keepalived import Keepalived

    Pairs = Iterable[tuple[str, str]]

MAX_VALUES = 500  # a shell is slow to sort more
TYPABLE = re.compile(r"[\w.:\[\]/@+,-]+", re.ASCII)
"""Characters of a value: names from outside go on a command line, so they must not need quotes."""

FILE = "file"
"""Description of the only value when a file name is expected: the shells complete file names."""


class NodeNames:
    def __init__(self, *, demo: bool = False, pid: int | None = None) -> None:
        self.demo = demo
        self._pid = pid

    def keepalived(self) -> Keepalived | None:
        from kvtui.backend.linux import processes  # noqa: PLC0415 - not for the demo

        return processes.choose(processes.find(), self._pid)

    def conf(self) -> Conf:
        """Returns the config; an empty one without a keepalived."""
        if self.demo:
            from kvtui.backend.demo.cluster import conf  # noqa: PLC0415 - only --demo needs it

            return conf(time.time())
        from kvtui.backend.conf import reader  # noqa: PLC0415 - not for every value
        from kvtui.model.conf import Conf  # noqa: PLC0415 - as above

        if (chosen := self.keepalived()) is None:
            return Conf("", 0.0)
        return reader.read(chosen.conf, root=chosen.root, config_id=chosen.config_id, now=time.time())

    def virtual_servers(self) -> tuple[VirtualServer, ...]:
        """Returns those of the kernel, from procfs, which any user may read."""
        if self.demo:
            from kvtui.backend.demo.cluster import table  # noqa: PLC0415 - only --demo needs it

            return table(0.0, time.time()).virtual_servers
        from pathlib import Path  # noqa: PLC0415 - not for every value

        from kvtui.backend.ipvs.procfs import read_table  # noqa: PLC0415 - not for every value

        chosen = self.keepalived()
        return read_table(Path(f"/proc/{chosen.pid if chosen else 'self'}/net")).virtual_servers


def find_reals(names: NodeNames) -> Pairs:
    from kvtui.model.ipvs import endpoint  # noqa: PLC0415 - not for every value

    addresses: Counter[str] = Counter()
    servers: Counter[str] = Counter()
    for virtual in names.virtual_servers():
        addresses.update(real.key[0] for real in virtual.real_servers)
        servers.update(endpoint(*real.key) for real in virtual.real_servers)
    for value, number in (*addresses.items(), *servers.items()):
        yield value, f"in {number} virtual server{'s' if number > 1 else ''}"


def find_services(names: NodeNames) -> Pairs:
    """Yields virtual servers without those of a fwmark, which are two words."""
    from kvtui.model.ipvs import endpoint  # noqa: PLC0415 - not for every value

    for virtual in names.virtual_servers():
        if virtual.fwmark is None:
            yield endpoint(virtual.address or "", virtual.port or 0), virtual.protocol.value


def find_instances(names: NodeNames) -> Pairs:
    for instance in names.conf().instances:
        yield instance.name, f"VRID {instance.vrid} on {instance.interface}"


def find_vips(names: NodeNames) -> Pairs:
    for instance in names.conf().instances:
        for vip in (*instance.vips, *instance.excluded_vips):
            yield vip.address, instance.name
    yield from find_services(names)


def find_checks(names: NodeNames) -> Pairs:
    for check in names.conf().checks:
        yield check.name, f"{check.kind} in {check.service}" if check.service else check.kind


def find_entries(names: NodeNames) -> Pairs:
    """Yields the journal's entries, newest first; the demo's journal is not on disk."""
    if names.demo:
        return
    from kvtui.actions.core.journal import Journal  # noqa: PLC0415 - not for every value

    for entry in reversed(Journal().entries()):
        yield entry.id, f"{entry.verb} {entry.target}"


def find_pids(names: NodeNames) -> Pairs:
    if names.demo:
        return
    from kvtui.backend.linux import processes  # noqa: PLC0415 - not for the demo

    for keepalived in processes.find():
        yield str(keepalived.pid), keepalived.conf


def completions(find: Callable[[NodeNames], Pairs], names: NodeNames) -> list[tuple[str, str]]:
    """Returns values and descriptions, each value once, without characters that a shell or terminal interprets."""
    values: dict[str, str] = {}
    try:
        for value, description in find(names):
            if TYPABLE.fullmatch(value):
                values.setdefault(value, plain(description, 60))
            if len(values) >= MAX_VALUES:
                break
    except (OSError, ValueError, KeepalivedNotFoundError):
        return []
    return list(values.items())


def _completer(find: Callable[[NodeNames], Pairs]) -> Callable[[typer.Context], list[tuple[str, str]]]:
    def complete(ctx: typer.Context) -> list[tuple[str, str]]:
        options = ctx.find_root().params
        return completions(find, NodeNames(demo=bool(options.get("demo")), pid=options.get("pid")))

    return complete


reals = _completer(find_reals)
services = _completer(find_services)
instances = _completer(find_instances)
vips = _completer(find_vips)
checks = _completer(find_checks)
entries = _completer(find_entries)
pids = _completer(find_pids)


def files(incomplete: str) -> list[tuple[str, str]]:
    return [(incomplete, FILE)]
