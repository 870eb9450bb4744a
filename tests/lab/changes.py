"""Random changes of a lab node while kvtui runs on it."""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.lab.inside import addresses
from tests.lab.node import children
from tests.lab.poll import poll
from tests.lab.spec import ECHO, NGINX, SUBNET4, real4

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.lab.cluster import Cluster
    from tests.lab.node import Node

    Step = Callable[[], str]

FOREIGN = (f"{SUBNET4}.201", f"{SUBNET4}.202")
"""Addresses that keepalived does not manage."""
NIC, OTHER_NAME = "eth0", "wan0"
HOUR = 3600
DUMMIES = ("extra0", "extra1")
SECOND = f"""
vrrp_instance second {{
  state BACKUP
  interface eth0
  virtual_router_id 77
  priority 90
  advert_int 0.25
  virtual_ipaddress {{
    {SUBNET4}.77
  }}
}}
"""
THIRD_REAL = f"""
virtual_server {SUBNET4}.77 80 {{
  lvs_sched rr
  lvs_method DR
  protocol TCP
  real_server {real4(1)} 80 {{
    weight 2
  }}
}}
"""


class RandomChanges:
    """Changes one thing on a node per method. Each returns a description; ``draw`` chooses a random one.

    Args:
        cluster: The node's cluster.
        node: The node that kvtui runs on.
        random: The source of random numbers.
    """

    def __init__(self, cluster: Cluster, node: Node, random: random.Random) -> None:
        self.cluster = cluster
        self.node = node
        self.random = random
        self.stopped: int | None = None
        """PID of the process of this node's keepalived that got SIGSTOP."""
        self.has_link = True
        self._peer_stopped: int | None = None
        self._nic = NIC
        self._clock = 0
        self._steps: tuple[tuple[int, Step], ...] = (
            (10, self.set_weight),
            (4, self.delete_real_server),
            (3, self.delete_virtual_server),
            (4, self.add_virtual_server),
            (1, self.clear_ipvs),
            (6, self.toggle_foreign_address),
            (5, self.delete_vip),
            (2, self.add_vip),
            (4, self.toggle_dummy),
            (3, self.rename_dummy),
            (3, self.toggle_link),
            (2, self.rename_nic),
            (1, self.set_clock),
            (6, self.edit),
            (8, self.edit_and_reload),
            (2, self.reload),
            (2, self.kill_vrrp),
            (2, self.kill_checker),
            (3, self.stop_or_continue),
            (2, self.stop_or_continue_peer),
            (1, self.restart),
            (1, self.crash),
        )

    def draw(self) -> str:
        """Makes a random change that is possible now, and returns its description."""
        if not self.node.running():
            return self.start() if self._nic == NIC else self.rename_nic()  # keepalived needs its interface
        if self._nic != NIC and self.random.random() < 0.5:
            return self.rename_nic()
        if not self.has_link and self.random.random() < 0.4:
            return self.toggle_link()
        if self.stopped is not None and self.random.random() < 0.5:
            return self.stop_or_continue()
        weights, steps = zip(*self._steps, strict=True)
        while True:
            step: Step = self.random.choices(steps, weights)[0]
            if done := step():
                return done

    def undo(self) -> None:
        """Undoes what ``Cluster.heal`` cannot repair."""
        for pid in (self.stopped, self._peer_stopped):
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        self._turn_clock(-self._clock)
        self._ip("link", "set", OTHER_NAME, "name", NIC)
        self._ip("link", "set", NIC, "up")
        for name in (*DUMMIES, *(f"{name}r" for name in DUMMIES)):
            self._ip("link", "del", name)
        for address in (*FOREIGN, f"{SUBNET4}.77"):
            self._ip("addr", "flush", "dev", "eth0", "to", address)

    # --- the IPVS table, with ipvsadm

    def set_weight(self) -> str:
        service = self.random.choice((NGINX, ECHO))
        real, weight = self.random.choice(service.real_servers), self.random.choice((0, 1, 5))
        return self._ipvsadm("-e", "-t", f"{service.vip}:80", "-r", f"{real}:80", "-g", "-w", str(weight))

    def delete_real_server(self) -> str:
        service = self.random.choice((NGINX, ECHO))
        return self._ipvsadm("-d", "-t", f"{service.vip}:80", "-r", f"{self.random.choice(service.real_servers)}:80")

    def delete_virtual_server(self) -> str:
        return self._ipvsadm("-D", "-t", f"{self.random.choice((NGINX, ECHO)).vip}:80")

    def add_virtual_server(self) -> str:
        number = self.random.randint(1, 3)
        return self._ipvsadm("-A", "-t", f"{SUBNET4}.9{number}:80", "-s", "rr")

    def clear_ipvs(self) -> str:
        return self._ipvsadm("-C")

    def _ipvsadm(self, *words: str) -> str:
        done = self.node.exec(["ipvsadm", *words])
        return f"ipvsadm {' '.join(words)}" if done.returncode == 0 else ""

    # --- addresses and interfaces

    def toggle_foreign_address(self) -> str:
        address = self.random.choice(FOREIGN)
        verb = "del" if address in self._addresses() else "add"
        return self._ip("addr", verb, f"{address}/24", "dev", self._nic)

    def delete_vip(self) -> str:
        vip = self.random.choice(self.node.spec.vips)
        return self._ip("addr", "del", f"{vip}/32", "dev", self._nic) if vip in self._addresses() else ""

    def add_vip(self) -> str:
        vip = self.random.choice(self.node.spec.vips)
        return "" if vip in self._addresses() else self._ip("addr", "add", f"{vip}/32", "dev", self._nic)

    def _addresses(self) -> set[str]:
        return addresses(self.node.netns, self._nic)

    def toggle_dummy(self) -> str:
        name = self.random.choice(DUMMIES)
        return self._ip("link", "add", name, "type", "dummy") or self._ip("link", "del", name)

    def rename_dummy(self) -> str:
        name = self.random.choice(DUMMIES)
        return self._ip("link", "set", name, "name", f"{name}r") or self._ip("link", "set", f"{name}r", "name", name)

    def toggle_link(self) -> str:
        self.has_link = not self.has_link
        return self._ip("link", "set", self._nic, "up" if self.has_link else "down")

    def rename_nic(self) -> str:
        """Before Linux 6.3 an interface that is up cannot be renamed."""
        other = OTHER_NAME if self._nic == NIC else NIC
        done = self._ip("link", "set", self._nic, "name", other)
        self._nic = other if done else self._nic
        return done

    def set_clock(self) -> str:
        """Sets the clock one hour forward or back; the next call resets it."""
        seconds = -self._clock or self.random.choice((-HOUR, HOUR))
        self._turn_clock(seconds)
        return f"clock {seconds:+d} s"

    def _turn_clock(self, seconds: int) -> None:
        self._clock += seconds
        if seconds:
            time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)

    def _ip(self, *words: str) -> str:
        done = self.node.exec(["ip", *words])
        return f"ip {' '.join(words)}" if done.returncode == 0 else ""

    # --- keepalived's config

    def edit(self) -> str:
        """Edits the file and does not reload."""
        what, text = self._other_conf()
        self.node.write_conf(text)
        return f"edit: {what}"

    def edit_and_reload(self) -> str:
        return f"{self.edit()}; {self.reload()}"

    def reload(self) -> str:
        os.kill(self.node.keepalived_pid, signal.SIGHUP)
        return "SIGHUP"

    def _other_conf(self) -> tuple[str, str]:
        text = self.node.spec.conf(self.node.index)
        what = self.random.choice(("as it was", "priority", "a VIP less", "second", "weight", "no instance", "method"))
        if what == "priority":
            text = re.sub(r"priority \d+", f"priority {self.random.choice((60, 103, 150))}", text, count=1)
        elif what == "a VIP less":
            text = re.sub(rf"\n +{re.escape(ECHO.vip)}\n", "\n", text, count=1)
        elif what == "second":
            text += SECOND + THIRD_REAL
        elif what == "weight":
            text = re.sub(r"weight 1\n", "weight 3\n", text, count=1)
        elif what == "no instance":
            text = re.sub(r"vrrp_instance vips \{.*?\n\}\n", "", text, count=1, flags=re.DOTALL)
        elif what == "method":
            text = text.replace("lvs_sched wlc", "lvs_sched rr", 1)
        return what, text

    # --- keepalived's processes

    def kill_vrrp(self) -> str:
        return self._kill("vrrp")

    def kill_checker(self) -> str:
        return self._kill("checkers")

    def _kill(self, kind: str) -> str:
        pid = self._child(kind)
        if pid is None or self.stopped is not None:
            return ""
        os.kill(pid, signal.SIGKILL)
        return f"kill -9 {kind} ({pid})"

    def stop_or_continue(self) -> str:
        if self.stopped is not None:
            done = f"kill -CONT {self.stopped}"
            self._continue()
            return done
        chosen = self.random.choice((self.node.keepalived_pid, self._child("vrrp"), self._child("checkers")))
        if chosen is None:
            return ""
        os.kill(chosen, signal.SIGSTOP)
        self.stopped = chosen
        return f"kill -STOP {chosen}"

    def stop_or_continue_peer(self) -> str:
        """Stops or continues the VRRP child of a peer. A stopped master sends no priority 0, so a backup times out."""
        if self._peer_stopped is not None:
            stopped, self._peer_stopped = self._peer_stopped, None
            os.kill(stopped, signal.SIGCONT)
            return f"kill -CONT {stopped} of a peer"
        peer = self.random.choice([n for n in self.cluster.nodes if n is not self.node])
        self._peer_stopped = children(peer.keepalived_pid)[0]
        os.kill(self._peer_stopped, signal.SIGSTOP)
        return f"kill -STOP {self._peer_stopped} of {peer.name}"

    def _child(self, kind: str) -> int | None:
        """Returns the PID of a child. Its pid file has the PID in the pod's namespace."""
        with suppress(OSError, ValueError):
            number = int((self.node.folder / "run" / f"{kind}.pid").read_text())
            for pid in children(self.node.keepalived_pid):
                with open(f"/proc/{pid}/status", encoding="ascii") as status:  # noqa: PTH123
                    if re.search(rf"^NSpid:.*\t{number}$", status.read(), re.MULTILINE):
                        return pid
        return None

    def restart(self) -> str:
        self._continue()
        self.node.stop()
        return f"SIGTERM; {self.start()}"

    def crash(self) -> str:
        self.stopped = None
        self.node.kill()
        return "kill -9 keepalived"

    def _continue(self) -> None:
        pid, self.stopped = self.stopped, None
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def start(self) -> str:
        self.node.launch()
        poll(lambda: children(self.node.pod_pid) if self.node.pod_pid else None, 20, "keepalived starts")
        self.node.wait_started()
        return f"start ({self.node.keepalived_pid})"
