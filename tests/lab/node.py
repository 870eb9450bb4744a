"""One node of the lab: a network namespace, and keepalived in it as the main process of a hostNetwork pod."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.inside import addresses, inside, run_inside
from tests.lab.inside import setns as setns  # noqa: PLC0414 - test_chain asks for it here
from tests.lab.keepalived import Version, version_of
from tests.lab.poll import poll

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from tests.lab.spec import ClusterSpec

# The pod's own view, then keepalived becomes its PID 1. /run comes last: the other sources lie below it. The console
# is covered because syslog(3) writes there when nobody listens on /dev/log, and a person may sit at it. One mount(8)
# mounts all of it, a process costs much here; it would pass over a /proc of the same name, so this one has another.
MOUNTS = """\
{folder}/etc {root}/etc/keepalived none bind
{folder}/tmp {root}/tmp none bind
pod {root}/proc proc defaults
/dev/null {root}/dev/console none bind
{folder}/run {root}/run none bind
"""
DEVICES = "/dev {root}/dev none rbind\n"
MOUNT_ALL = 'mount -a -T "$1" || exit 70'
POD = f"""{MOUNT_ALL}
root=$2; shift 2
[ "$root" = / ] && exec "$@"
exec chroot "$root" "$@"
"""
KEEPALIVED_ARGS = ("--dont-fork", "--log-console", "--log-detail", "--release-vips")  # as keepalived-vip gives them


class Node:
    """A node, as an operator on it sees it (`exec`), and its pod from within (`exec_in_pod`)."""

    def __init__(self, spec: ClusterSpec, index: int, netns: str, cluster_folder: Path) -> None:
        self.spec = spec
        self.index = index
        self.name = spec.node_names[index]
        self.netns = netns
        self.folder = cluster_folder / self.name
        self.address = spec.address4(index)
        self.conf_path = self.folder / "etc" / "keepalived.conf"  # the bind mount's source, seen from outside the pod
        self.mounts = self.folder / "mounts"  # as fstab(5)
        self.log_path = self.folder / "keepalived.log"  # what `kubectl logs` would show
        self._pod: subprocess.Popen[bytes] | None = None
        self._keepalived_pid = 0

    def __repr__(self) -> str:
        return f"<{self.netns} {self.address}>"

    def prepare(self) -> None:
        """Make the folders that the pod mounts, with its keepalived.conf."""
        for name in ("etc", "run", "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._forget()
        for options in Path(self.spec.root, "etc", "keepalived").glob("keepalived.config-opts"):
            shutil.copy(options, self.folder / "etc")  # Debian's 2.3.3 does not start without it
        Path(self.spec.root, "etc", "keepalived").mkdir(parents=True, exist_ok=True)
        root = self.spec.root.rstrip("/")
        mounts = (DEVICES if root else "") + MOUNTS
        self.mounts.write_text(mounts.format(folder=self.folder, root=root))
        self.log_path.touch()
        self.conf_path.write_text(self.spec.conf(self.index))

    # --- its keepalived

    def start(self) -> None:
        """Start keepalived; returns when its VRRP and checker children run."""
        self.launch()
        self.wait_started()

    def launch(self) -> None:
        """Start keepalived and return at once."""
        if self.running():
            raise RuntimeError(f"{self.name}: keepalived runs already")
        for stale in (self.folder / "run").glob("*.pid"):
            stale.unlink()  # a new pod has a new, empty /run
        with self.log_path.open("ab") as log:
            self._pod = subprocess.Popen(self.pod_argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        (self.folder / "pod").write_text(str(self._pod.pid))  # for the lab's shell, see stage.py

    def pod_argv(self) -> list[str]:
        """The command that runs the pod in the foreground."""
        pod = ["sh", "-c", POD, "pod", str(self.mounts), self.spec.root, self.spec.keepalived, *KEEPALIVED_ARGS]
        return [*self.namespaces(), *pod, *self.spec.extra_args]

    def namespaces(self) -> list[str]:
        """How a command begins that runs in the node's network, with mounts and process numbers of its own."""
        return ["ip", "netns", "exec", self.netns, "unshare", "-m", "-p", "-f", "--kill-child"]

    def wait_started(self) -> None:
        """Wait until keepalived has its children, and remember its pid."""
        self._keepalived_pid = poll(self._find_keepalived, 20, f"keepalived on {self.name}\n{self.log()}")

    def _find_keepalived(self) -> int:
        """Pid of the pod's PID 1 once it is keepalived and has children of the same name."""
        if self._pod is None or self._pod.poll() is not None:
            raise RuntimeError(f"{self.name}: the pod ended at once\n{self.log()}")
        for pid in children(self._pod.pid):
            if comm(pid) == "keepalived" and len(children(pid)) >= self._expected_children():
                return pid
        return 0

    def _expected_children(self) -> int:
        text = self.conf_path.read_text()
        return ("vrrp_instance" in text) + ("virtual_server" in text)

    @property
    def keepalived_pid(self) -> int:
        """Pid of keepalived's parent process as seen from outside the pod."""
        return self._keepalived_pid

    @property
    def pod_pid(self) -> int | None:
        """The pod's first process."""
        return self._pod.pid if self._pod else None

    def running(self) -> bool:
        """Whether the pod is there."""
        return self._pod is not None and self._pod.poll() is None

    def kill(self) -> None:
        """SIGKILL, as a crash does: the VIPs stay on the interface."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, as `kubectl delete pod` does: priority 0 is advertised and the VIPs are released."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        if self._pod is None:
            return
        if self._pod.poll() is None and self._keepalived_pid:
            os.kill(self._keepalived_pid, number)
        elif self._pod.poll() is None:
            self._pod.kill()
        self._pod.wait(120)
        self._pod = None
        self._keepalived_pid = 0

    def write_conf(self, text: str) -> None:
        """Replace keepalived.conf by an atomic rename, without telling keepalived."""
        temp_file = self.conf_path.with_suffix(".new")
        temp_file.write_text(text)
        temp_file.replace(self.conf_path)

    def reload(self, conf_text: str | None = None) -> None:
        """Write the config, if given, send SIGHUP, and wait until the log says that the reload is complete."""
        if conf_text is not None:
            self.write_conf(conf_text)
        before = len(self.log())
        os.kill(self.keepalived_pid, signal.SIGHUP)
        poll(
            lambda: re.search(self.version.reload_end, self.log()[before:]),
            20,
            f"{self.name}: end of the reload",
        )

    def log(self) -> str:
        """What keepalived has logged."""
        return self.log_path.read_text(errors="replace")

    @cached_property
    def version(self) -> Version:
        """What is known of its keepalived."""
        return version_of(self.spec.root)

    # --- commands on it

    def exec(
        self, argv: Sequence[str], *, check: bool = False, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as an operator logged in on the node: its network, but not the pod's files and processes."""
        return run_inside(self.netns, argv, check=check, timeout=timeout)

    def exec_in_pod(
        self, argv: Sequence[str], *, check: bool = False, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as `kubectl exec` does: inside keepalived's mount, pid and network namespaces."""
        argv = ["nsenter", "-t", str(self.keepalived_pid), "-m", "-p", "-n", "-r", "-w", *argv]
        return subprocess.run(argv, capture_output=True, text=True, check=check, timeout=timeout)

    def inside(self) -> AbstractContextManager[None]:
        """Move the calling thread into the node's network namespace for a while, for sockets opened in process."""
        return inside(self.netns)

    def addresses(self) -> set[str]:
        """Addresses on eth0."""
        return addresses(self.netns, "eth0")

    def ipvs(self) -> str:
        """The node's IPVS table as `ipvsadm -Sn` prints it."""
        return self.exec(["ipvsadm", "-Sn"], check=True).stdout

    def silent_for(self) -> list[float]:
        """Seconds since the latest packet of each established connection through this node's IPVS.

        /proc/net/ip_vs_conn says when it expires, which is 900 s after a packet (ip_vs_proto_tcp.c).
        """
        text = Path(f"/proc/{self.keepalived_pid}/net/ip_vs_conn").read_text()
        rows = [line.split() for line in text.splitlines()]
        return [900.0 - float(words[8]) for words in rows if len(words) > 8 and words[7] == "ESTABLISHED"]

    # --- repair between tests

    def is_pristine(self) -> bool:
        """Whether keepalived runs with the spec's config and the kernel has exactly its virtual servers."""
        if not self.running() or self.conf_path.read_text() != self.spec.conf(self.index):
            return False
        if any(f"/tmp/{left.name}" in self.spec.conf(self.index) for left in (self.folder / "tmp").iterdir()):
            return False  # a track file that a test wrote
        return sorted(self.ipvs().splitlines()) == sorted(expected_ipvs(self.spec))

    def _forget(self) -> None:
        """A new pod has a new, empty /tmp; and a node of the next cluster in this folder has no past of its own."""
        for left in (self.folder / "tmp").iterdir():
            left.unlink()
        shutil.rmtree(self.folder / "state", ignore_errors=True)

    def restart_afresh(self, vips: Sequence[str]) -> None:
        """Start over with the spec's config, an empty IPVS table and no stray VIP."""
        self.kill()
        self._forget()
        self.exec(["ipvsadm", "-C"], check=True)
        for vip in vips:
            self.exec(["ip", "addr", "flush", "dev", "eth0", "to", vip])
        self.exec(["ip", "link", "set", "eth0", "up"])
        self.write_conf(self.spec.conf(self.index))
        self.start()


def expected_ipvs(spec: ClusterSpec) -> list[str]:
    """What `ipvsadm -Sn` prints when keepalived's virtual servers are in the kernel, untouched."""
    flag, suffix = {"DR": ("-g", ""), "NAT": ("-m", ""), "TUN": ("-i", " --tun-type ipip")}[spec.method]
    lines = []
    for service in spec.all_services:
        host = f"[{service.vip}]" if service.is_ipv6 else service.vip
        persistence = f" -p {spec.persistence}" if spec.persistence else ""
        lines.append(f"-A -t {host}:{service.port} -s {spec.scheduler}{persistence}")
        for real in service.real_servers:
            real_host = f"[{real}]" if service.is_ipv6 else real
            lines.append(f"-a -t {host}:{service.port} -r {real_host}:{service.port} {flag} -w 1{suffix}")
    return lines


def children(pid: int) -> list[int]:
    """Direct children of a single-threaded process."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def comm(pid: int) -> str:
    """A process's name, or nothing when it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
