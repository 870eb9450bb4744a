"""Finds keepalived's pid files and checks whether they are stale (core/pidfile.c, measured on 2.2.7).

``/run/keepalived.pid``, ``/run/{vrrp,checkers,bfd}.pid``; with ``instance bar`` in the config
``/run/keepalived/vrrp_bar.pid``; with ``use_pid_dir`` or a network namespace ``/run/keepalived/vrrp.pid``.
``-i`` does not change them. The old images of keepalived-vip have ``/keepalived.pid``. The numbers are those of
keepalived's own PID namespace.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.backend.linux.files import open_regular
from kvtui.backend.linux.rooted import list_folder
from kvtui.model.keepalived import PidFile

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

KINDS = ("keepalived", "vrrp", "checkers", "bfd")
PID_FOLDER = "/run/keepalived"
MAX_PID_FILE_BYTES = 32  # a pid file holds one number


class PidFiles(Struct, frozen=True):
    """The pid files of one keepalived.

    Attributes:
        files: those found, true or stale, in the order of ``KINDS``.
        children: kind → PID of the child (in its own PID namespace) that a true file names.
        instance: the name that ``instance`` gives it in its config, as the name of its pid file shows; None.
    """

    files: tuple[PidFile, ...] = ()
    children: dict[str, int] | None = None
    instance: str | None = None


class _Found(Struct, frozen=True):
    kind: str
    path: str
    number: int | None
    explicit: bool

    @property
    def suffix(self) -> str:
        """``/run/keepalived/*_bar``, ``/run/*``: what the files of one keepalived have in common."""
        folder, _, name = self.path.rpartition("/")
        return f"{folder}/*{name.removeprefix(self.kind)}"


def read_pid_files(
    root: str, explicit: Mapping[str, str], parent: int, children: Collection[int], strangers: Collection[int]
) -> PidFiles:
    """``strangers``: other keepalived processes in its PID namespace. All numbers are those of that namespace."""
    found = list(_unique(root, _candidates(root, explicit)))
    true = [f for f in found if (f.number == parent if f.kind == "keepalived" else f.number in children)]
    ours = {f.suffix for f in true if f.kind == "keepalived" and not f.explicit}

    def is_ours(file: _Found) -> bool:
        may_be = file.number not in strangers and (not ours or file.suffix in ours)
        return file in true or file.explicit or may_be

    return PidFiles(
        files=tuple(PidFile(f.path, f.number, f not in true) for f in found if is_ours(f)),
        children={f.kind: f.number for f in true if f.kind != "keepalived" and f.number is not None},
        instance=next((m[1] for suffix in ours if (m := re.search(r"\*_(.+)\.pid$", suffix))), None),
    )


def _candidates(root: str, explicit: Mapping[str, str]) -> Iterable[tuple[str, str, bool]]:
    """(kind, path inside, named by an argument) of all places where a pid file may be."""
    try:
        names = sorted(list_folder(PID_FOLDER, root))
    except OSError:
        names = []
    for kind in KINDS:
        if kind in explicit:
            yield kind, explicit[kind], True
            continue
        for name in names:
            if re.fullmatch(rf"{kind}(_.+)?\.pid", name):
                yield kind, f"{PID_FOLDER}/{name}", False
        for folder in ("/run", "/var/run", ""):
            yield kind, f"{folder}/{kind}.pid", False


def _unique(root: str, candidates: Iterable[tuple[str, str, bool]]) -> Iterable[_Found]:
    """Those that exist, each file once, though two names may lead to it."""
    seen = set()
    for kind, path, explicit in candidates:
        try:
            with open(open_regular(path, root=root), "rb") as file:  # noqa: PTH123 - a descriptor
                state = os.fstat(file.fileno())
                if (state.st_dev, state.st_ino) in seen:
                    continue
                seen.add((state.st_dev, state.st_ino))
                text = file.read(MAX_PID_FILE_BYTES)
        except OSError:
            continue
        yield _Found(kind, path, int(text) if text.strip().isdigit() else None, explicit)
