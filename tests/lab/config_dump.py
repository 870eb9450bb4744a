"""How real keepalived reads a config: it runs briefly in its own namespaces and dumps what it has read.

Several run in parallel, because each mostly waits. The interfaces that the config names are created first (`dummy`).
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.node import children
from tests.lab.poll import poll

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_PARALLEL = 6
TIMEOUT = 120.0
DUMP_TIMEOUT = 60.0
"""Seconds after the signal. keepalived writes no dump later than that."""
CONFIG_ID = "high"
"""The config id (`-i`) that `@id` lines are compared with. Some of the shared files use it."""

# $1: folder with etc, tmp, run and the batch of `ip`; $2: the root of keepalived's version
SANDBOX = """
folder=$1; root=$2; shift 2
ip link set lo up; ip -force -batch "$folder/links" >/dev/null 2>&1
[ "$root" = / ] && root= || mount --rbind /dev "$root/dev"
mkdir -p "$root/etc/keepalived"
[ ! -e "$root/etc/keepalived/keepalived.config-opts" ] || cp "$root/etc/keepalived/keepalived.config-opts" "$folder/etc"
mount -t proc proc "$root/proc" &&
mount --bind /dev/null "$root/dev/console" &&
mount --bind "$folder/etc" "$root/etc/keepalived" || exit 70
for name in "$folder"/run/netns/*; do
    [ ! -e "$name" ] || mount --bind /proc/self/ns/net "$name" || exit 70
done
exec 3<"$folder/tmp" # the next mount may cover the folder's own path
mount --rbind "$folder/run" "$root/run" && mount -c --bind /proc/self/fd/3/. "$root/tmp" || exit 70
exec chroot "$root/" "$@"
"""
ARGUMENTS = (
    "/usr/sbin/keepalived",
    *("--dont-fork", "--log-console", "--log-detail", "--dont-release-vrrp", "--dont-release-ipvs"),
    *("-p", "/run/parent", "-r", "/run/vrrp", "-c", "/run/checker", "-b", "/run/bfd", "-i", CONFIG_ID),
)
DUMPS = {"vrrp": "keepalived.data", "checker": "keepalived_check.data"}
JSON_SIGNAL = 36
JSON = "keepalived.json"

_AFTER = re.compile(
    r"\b(?:interface|dev|default_interface|lvs_sync_daemon_interface|lvs_sync_daemon|mcast_if)[ \t]+\"?([\w.:-]{1,15})"
)
_MACRO = re.compile(r"^\s*\$\w+=\s*([a-z][\w.-]*\d)\s*$", re.MULTILINE)
_NAMESPACE = re.compile(r"\bnet_namespace[ \t]+([\w.-]+)")
_SOURCE = re.compile(r"\b(?:unicast|mcast)_src_ip[ \t]+([0-9A-Fa-f.:]+)")
_TRACKED = re.compile(r"(?:track_interface|interfaces|linkbeat_interfaces)\s*\{([^}]*)\}")


@dataclass
class Dumped:
    """The dumps and the log of one keepalived on one config.

    Attributes:
        vrrp: Text of keepalived.data; empty without a VRRP child.
        checker: Text of keepalived_check.data; empty without a checker.
        json: Text of keepalived.json; empty without an instance.
        log: The whole log.
        ended: Whether it exited because of the config.
        no_dump: Whether it runs and wrote no dump.
    """

    vrrp: str = ""
    checker: str = ""
    json: str = ""
    log: str = ""
    ended: bool = False
    no_dump: bool = False


@dataclass
class Run:
    """One keepalived on one config."""

    folder: Path
    root: str
    process: subprocess.Popen[bytes] | None = None
    asked: tuple[int, ...] = ()
    asked_at: float = 0.0
    no_dump: bool = False
    earlier: dict[str, str] = field(default_factory=dict)
    before: tuple[int, ...] = ()

    @property
    def conf(self) -> Path:
        return self.folder / "etc" / "keepalived.conf"

    def start(self, files: dict[str, str], interfaces: Iterable[str]) -> None:
        for name in ("etc", "tmp", "run"):
            (self.folder / name).mkdir(parents=True)
        for name, text in files.items():
            path = self.conf.parent / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8", "surrogateescape"))
        (self.folder / "run" / "netns").mkdir()
        for name in _NAMESPACE.findall("\n".join(files.values())):  # all of them are the sandbox's own namespace
            (self.folder / "run" / "netns" / name).touch()
        sources = _SOURCE.findall("\n".join(files.values()))
        self.folder.joinpath("links").write_text("".join(_links(interfaces, sources)))
        argv = ["unshare", "-n", "-m", "-p", "-f", "--kill-child", "sh", "-c", SANDBOX, "sh", str(self.folder)]
        with self.folder.joinpath("log").open("wb") as log:
            self.process = subprocess.Popen(
                [*argv, self.root, *ARGUMENTS], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def done(self) -> bool:
        """Requests the dumps once the children run. Returns whether they are written or keepalived has ended."""
        assert self.process is not None
        if self.process.poll() is not None or "died: Respawning" in self.log():
            self.earlier = {}
            return True
        parents = children(self.process.pid)
        alive = tuple(children(parents[0])) if parents else ()
        names = [name for name in DUMPS if (self.folder / "run" / name).exists()]
        others = (self.folder / "run" / "bfd").exists()
        settled, self.before = alive == self.before and len(names) + others == len(alive), alive
        if not settled or not all(_blocks_usr1(pid) for pid in (*parents, *alive)):
            return False
        if not alive:
            return "no configuration to run" in self.log()
        if self.asked != alive:
            self.asked, self.asked_at = alive, time.monotonic()
            os.kill(parents[0], signal.SIGUSR1)
            os.kill(parents[0], JSON_SIGNAL)
            return False
        now = {name: _text(self.folder / "tmp" / DUMPS[name]) for name in names}
        if " VRRP Instance = " in now.get("vrrp", ""):
            now["json"] = _text(self.folder / "tmp" / JSON)
        same, self.earlier = now == self.earlier, now
        self.no_dump = not all(now.values()) and time.monotonic() - self.asked_at > DUMP_TIMEOUT
        return same and (all(now.values()) or self.no_dump)

    def log(self) -> str:
        return _text(self.folder / "log")

    def end(self) -> Dumped:
        assert self.process is not None
        ended = self.process.poll() is not None or "died: Respawning" in self.log()
        self.process.kill()
        self.process.wait()
        return Dumped(**self.earlier, log=self.log(), ended=ended, no_dump=self.no_dump)


def dumps(folder: Path, root: str, configs: Sequence[tuple[str, dict[str, str]]]) -> Iterator[tuple[str, Run, Dumped]]:
    """Yields name, run and dump for each config: file name → text, with `keepalived.conf` as the main file."""
    waiting = list(reversed(configs))
    running: list[tuple[str, Run]] = []
    try:
        yield from _dumps(folder, root, waiting, running)
    finally:
        for _, run in running:
            run.end()


def _dumps(
    folder: Path, root: str, waiting: list[tuple[str, dict[str, str]]], running: list[tuple[str, Run]]
) -> Iterator[tuple[str, Run, Dumped]]:
    while waiting or running:
        while waiting and len(running) < MAX_PARALLEL:
            name, files = waiting.pop()
            run = Run(folder / name, root)
            run.start(files, interfaces_of("\n".join(files.values())))
            running.append((name, run))
        what = f"dumps of {[name for name, _ in running]}"
        for name, run in poll(partial(_finished, running), TIMEOUT, what, interval=0.25):
            running.remove((name, run))
            yield name, run, run.end()
            shutil.rmtree(run.folder)


def _finished(running: Iterable[tuple[str, Run]]) -> list[tuple[str, Run]]:
    return [(name, run) for name, run in running if run.done()]


def interfaces_of(text: str) -> list[str]:
    """Returns the names of interfaces in a config."""
    bare = re.sub(r"[!#].*", "", text)
    names = (
        _AFTER.findall(bare)
        + _MACRO.findall(bare)
        + [word for block in _TRACKED.findall(bare) for word in block.split()]
    )
    return [n for n in dict.fromkeys(names) if re.fullmatch(r"[A-Za-z][\w.-]{0,14}", n) and n not in {"lo", "weight"}]


def _links(interfaces: Iterable[str], sources: Iterable[str]) -> Iterator[str]:
    for number, name in enumerate(interfaces, 1):
        yield f"link add {name} type dummy\n"
        yield f"link set {name} up multicast on\n"
        yield f"addr add 10.255.{number % 256}.1/24 dev {name}\n"
        yield from (f"addr add {address} dev {name} nodad\n" for address in sources)


def _blocks_usr1(pid: int) -> bool:
    status = _text(Path(f"/proc/{pid}/status"))
    blocked = re.search(r"SigBlk:\s*([0-9a-f]+)", status)
    return blocked is not None and bool(int(blocked[1], 16) >> (signal.SIGUSR1 - 1) & 1)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except (FileNotFoundError, ProcessLookupError):
        return ""
