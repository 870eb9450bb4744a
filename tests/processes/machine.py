"""A machine's /proc made of files and links, as proc(5) describes them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

BOOTED = 1_795_000_000
PARENT_SIGNALS = 0x4000000800014A03  # SigBlk measured on keepalived 2.2.7: parent and VRRP child
CHECKER_SIGNALS = 0x4000000000014203  # checker and BFD child
HOST_NET, POD_NET = 4026531840, 4026532179
HOST_MNT, POD_MNT = 4026531841, 4026532317
HOST_PID, POD_PID = 4026531836, 4026532318


class Machine:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "proc"
        self.root = folder / "root"
        self.folder.mkdir()
        self.root.mkdir()
        (self.folder / "stat").write_text(f"cpu  1 2 3\nbtime {BOOTED}\n")
        self.process(1, comm="systemd", argv=("/sbin/init",), exe="/usr/lib/systemd/systemd")
        self.process(500, comm="kvtui", argv=("kvtui",), exe="/usr/bin/python3.11")
        (self.folder / "self").symlink_to("500")

    @property
    def proc(self) -> str:
        return str(self.folder)

    def process(
        self,
        pid: int,
        *,
        parent: int = 1,
        comm: str = "keepalived",
        argv: tuple[str, ...] = ("/usr/sbin/keepalived", "-n"),
        exe: str | None = "/usr/sbin/keepalived",
        state: str = "S",
        age: int = 0,
        ns_pids: tuple[int, ...] = (),
        blocked: int = PARENT_SIGNALS,
        net: int = HOST_NET,
        mnt: int = HOST_MNT,
        pid_ns: int = HOST_PID,
        environ: dict[str, str] | None = None,
        root: Path | None = None,
    ) -> None:
        here = self.folder / str(pid)
        (here / "ns").mkdir(parents=True)
        (here / "fd").mkdir()
        (here / "net").mkdir()
        ticks = (1_000_000 - age) * os.sysconf("SC_CLK_TCK")
        (here / "stat").write_text(
            f"{pid} ({comm}) {state} {parent} 1 1 0 -1 4194560 9 0 0 0 0 0 0 0 20 0 1 0 {ticks}" + " 0" * 30 + "\n"
        )
        numbers = "\t".join(map(str, ns_pids or (pid,)))
        (here / "status").write_text(
            f"Name:\t{comm}\nState:\t{state} (x)\nPPid:\t{parent}\nUid:\t0\t0\t0\t0\nNSpid:\t{numbers}\n"
            f"SigBlk:\t{blocked:016x}\nSigCgt:\t{0:016x}\n"
        )
        (here / "cmdline").write_bytes(b"" if state == "Z" else "\0".join(argv).encode() + b"\0")
        variables = {"PATH": "/bin"} | (environ or {})
        (here / "environ").write_text("".join(f"{name}={value}\0" for name, value in variables.items()))
        if exe is not None:
            (here / "exe").symlink_to(exe)
        for kind, inode in {"net": net, "mnt": mnt, "pid": pid_ns}.items():
            (here / "ns" / kind).symlink_to(f"{kind}:[{inode}]")
        (here / "root").symlink_to(root or self.root)

    def pod(self, parent: int = 796, controller: int = 1) -> Path:
        """Adds the processes of a keepalived pod as measured in the lab, and returns its root folder."""
        root = self.folder.parent / f"pod{parent}"
        (root / "run").mkdir(parents=True)
        argv = ("/usr/sbin/keepalived", "--dont-fork", "--log-console", "--log-detail", "--release-vips")
        for number, blocked in ((1, PARENT_SIGNALS), (7, CHECKER_SIGNALS), (8, PARENT_SIGNALS)):
            self.process(
                parent if number == 1 else parent + number,
                parent=controller if number == 1 else parent,
                argv=argv,
                ns_pids=(parent if number == 1 else parent + number, number),
                blocked=blocked,
                mnt=POD_MNT,
                pid_ns=POD_PID,
                root=root,
            )
        return root
