"""Conditions on a lab node that triage reports: config errors, packets, a second keepalived; and helpers for them."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.network import command
from tests.lab.spec import NGINX

if TYPE_CHECKING:
    from tests.lab.node import Node as LabNode

VIP = NGINX.vip
EXTRA = f"""
virtual_server {VIP} 8080 {{
  delay_loop 60
  lvs_sched rr
  lvs_method DR
  protocol TCP
  real_server 10.4.0.11 80 {{
    weight 1
  }}
}}
virtual_server 10.4.0.99 80 {{
  delay_loop 60
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  real_server 10.4.0.11 80 {{
    weight 1
  }}
}}
virtual_server {VIP} 5353 {{
  delay_loop 1
  lvs_sched rr
  lvs_method NAT
  protocol UDP
  real_server 10.4.0.11 5353 {{
    weight 1
    TCP_CHECK {{
      connect_timeout 1
    }}
  }}
}}
"""
BAD_ADVERTS = """
import socket
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.4.0.4"))
for _ in range(3):  # version 3, VRID 50, priority 100, one address; the checksum is not 0
    raw.sendto(bytes.fromhex("313264010064" "0000" "0a040032"), ("224.0.0.18", 0))
"""


def ipvsadm(node: LabNode, *rules: str) -> None:
    """Runs an ipvsadm command per rule."""
    for rule in rules:
        node.exec(["ipvsadm", *rule.split()], check=True)


def restore_ipvs(node: LabNode, saved: str) -> None:
    command(["ip", "netns", "exec", node.netns, "ipvsadm", "-C"])
    command(["ip", "netns", "exec", node.netns, "ipvsadm", "-R"], text=saved)


def connect(node: LabNode) -> None:
    """Sends requests from several client addresses, so that each real server has persistence templates."""
    client = node.netns.removesuffix(node.name) + "client"
    for host in range(100, 106):
        argv = [
            "ip",
            "netns",
            "exec",
            client,
            "curl",
            "-s",
            "-m",
            "2",
            "--interface",
            f"10.4.0.{host}",
            f"http://{VIP}/",
        ]
        subprocess.run(argv, check=False, capture_output=True)


def sysctl(node: LabNode, **values: int) -> None:
    for name, value in values.items():
        node.exec(["sh", "-c", f"echo {value} >/proc/sys/net/ipv4/{name}"], check=True)


def second_keepalived(node: LabNode) -> subprocess.Popen[bytes]:
    """Starts a second keepalived and controller in the node's network, as an old pod that did not end.

    They have their own PID and mount namespaces. The controller is a shell with the controller's name.
    """
    folder = node.folder / "old"
    folder.mkdir(exist_ok=True)
    (folder / "keepalived.conf").write_text(
        "vrrp_instance old {\n state BACKUP\n interface eth0\n virtual_router_id 77\n priority 1\n"
        " virtual_ipaddress {\n 10.4.0.77\n }\n}\n"
    )
    pids = [f"--{kind}={folder}/{kind}" for kind in ("pid", "vrrp_pid", "checkers_pid")]
    for stale in folder.glob("*pid"):
        stale.unlink()  # an earlier one's; its number may be that of a process now: "daemon is already running"
    controller = folder / "kube-keepalived-vip"
    shutil.copy("/bin/sh", controller)
    keepalived = shlex.join(["keepalived", "-n", "-l", "--vrrp", "-f", str(folder / "keepalived.conf"), *pids])
    argv = ["ip", "netns", "exec", node.netns, "unshare", "-m", "-p", "--kill-child", "-f"]
    argv += [str(controller), "-c", f"{keepalived}; :", controller.name, "--services-configmap=default/vip-configmap"]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def child_pids(node: LabNode) -> list[int]:
    return [
        int(p) for p in Path(f"/proc/{node.keepalived_pid}/task/{node.keepalived_pid}/children").read_text().split()
    ]


def ns_pid(pid: int) -> int:
    line = next(x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("NSpid"))
    return int(line.split()[-1])
