"""The controller of the lab's nodes. It does what keepalived-vip does, see ../shared/keepalived-vip.md.

    kube-keepalived-vip --services-configmap=NAMESPACE/NAME --vrid=50 --iface=eth0 --release-vips

It is PID 1 of its pod and keepalived's parent. It reads the ConfigMap, Services, Endpoints (ready addresses only),
Nodes and its own Pod, and renders keepalived.conf. If the text differs from the last one, it sends SIGHUP.
Its template is independent of ``kvtui.rules.mapping``, so that tests compare what kvtui expects with what this writes.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.lab.story import client

if TYPE_CHECKING:
    from collections.abc import Mapping

MIN_SECONDS_BETWEEN_SYNCS = 2.0
RETRY_SECONDS = 0.5
VALUE = re.compile(r"(.*)/(.*):(.*)|(.*)/(.*)")
METHOD = re.compile("NAT|DR|PROXY")
KEEPALIVED_ARGS = ("--dont-fork", "--log-console", "--log-detail", "--release-vips")

HEAD = """

global_defs {
  vrrp_version 3
  vrrp_iptables KUBE-KEEPALIVED-VIP
  #get rid of warning:  default user 'keepalived_script' for script execution does not exist - please create
  script_user root
  enable_script_security

}


#Check if the VIP list is empty

"""
INSTANCE = """



vrrp_instance vips {{
  state BACKUP
  interface {interface}
  virtual_router_id {vrid}
  priority {priority}
  nopreempt
  advert_int 1

  track_interface {{
    {interface}
  }}

{blank}
{blank}
  virtual_ipaddress {{{space}
    {vips}
  }}

  notify /keepalived-check.sh



}}


"""
VIP_ONLY = """

# VIP Service with no pods: {vip}

"""
VIRTUAL_SERVER = """

# Service: {name}
virtual_server {vip} {port} {{
  delay_loop 5
  lvs_sched wlc
  lvs_method {method}
  persistence_timeout 1800
  protocol {protocol}

{blank}{real_servers}}}

"""
REAL_SERVER = """\
  real_server {address} {port} {{
    weight 1
    TCP_CHECK {{
      connect_port {port}
      connect_timeout 3
    }}
  }}
{blank}"""
TAIL = """

#End if vip list is empty


"""
BLANK = "  \n"
"""The rest of a line that contains an action of Go's template."""


class Entry(NamedTuple):
    """A valid entry of the ConfigMap. Namespace and name are empty for an entry without a Service."""

    vip: str
    namespace: str = ""
    name: str = ""
    method: str = "NAT"


def parse(vip: str, value: str) -> Entry | None:
    """Parses one entry with the controller's regular expressions; None if the controller skips it with a warning."""
    if not value:
        return Entry(vip)
    match = VALUE.search(value)
    if match is None:
        return None
    if match[1] is None:
        return Entry(vip, match[4], match[5])
    method = match[3] or "NAT"
    return Entry(vip, match[1], match[2], method) if METHOD.search(method) else None


def backends(endpoints: Mapping[str, Any], port: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Returns the ready addresses in an Endpoints object that serve a port of the Service."""
    target = port.get("targetPort") or port["port"]
    found = {
        (address["ip"], number["port"])
        for subset in endpoints.get("subsets") or ()
        for number in subset["ports"]
        if (number["port"] == target if isinstance(target, int) else number.get("name", "") == target)
        for address in subset.get("addresses") or ()
    }
    return sorted(found)


class Controller:
    """One node's controller and its keepalived."""

    def __init__(self, flags: Mapping[str, str], conf: Path, keepalived: list[str]) -> None:
        self.configmap = tuple(flags["services-configmap"].split("/", 1))
        self.vrid, self.interface = flags.get("vrid", "50"), flags.get("iface", "eth0")
        self.conf, self.command = conf, keepalived
        self.changed = threading.Event()
        self._written = ""
        self._priority = 0
        self._process: subprocess.Popen[bytes] | None = None

    def priority(self) -> int:
        """Returns 100 plus the index of this node's address among all, sorted as text. Computed once."""
        if not self._priority:
            mine = client.get("pods", os.environ["POD_NAMESPACE"], os.environ["POD_NAME"])["spec"]["nodeName"]
            addresses = {
                node["metadata"]["name"]: address["address"]
                for node in client.get("nodes")
                for address in reversed(node["status"]["addresses"])
                if address["type"] == "InternalIP"
            }
            self._priority = 100 + sorted(addresses.values()).index(addresses[mine])
        return self._priority

    def render(self) -> str:
        """Returns the text of keepalived.conf for the API's present objects."""
        data = client.get("configmaps", *self.configmap).get("data") or {}
        services = {(s["metadata"]["namespace"], s["metadata"]["name"]): s for s in client.get("services")}
        endpoints = {(e["metadata"]["namespace"], e["metadata"]["name"]): e for e in client.get("endpoints")}
        blocks: list[tuple[str, str, int, str]] = []
        for vip, value in data.items():
            entry = parse(vip, value)
            if entry is None:
                print(f"skipping {vip}: {value!r} is no NAMESPACE/SERVICE:METHOD", file=sys.stderr, flush=True)
            elif not entry.name:
                blocks.append(("", vip, 0, VIP_ONLY.format(vip=vip)))
            else:
                service = services.get((entry.namespace, entry.name))
                ready = endpoints.get((entry.namespace, entry.name), {})
                blocks += self._servers(entry, service["spec"].get("ports") or () if service else (), ready)
        if not blocks:
            return HEAD
        blocks.sort(key=lambda block: block[:3])
        vips = "\n    ".join(dict.fromkeys(vip for _, vip, _, _ in blocks))
        instance = INSTANCE.format(
            interface=self.interface, vrid=self.vrid, priority=self.priority(), vips=vips, blank=BLANK, space=" "
        )  # fmt: skip
        return HEAD + instance + "".join(text for *_, text in blocks) + TAIL

    @staticmethod
    def _servers(entry: Entry, ports: Any, endpoints: Mapping[str, Any]) -> list[tuple[str, str, int, str]]:
        name = f"{entry.namespace}-{entry.name}"
        found = []
        for port in ports:
            if ready := backends(endpoints, port):
                real = "".join(
                    REAL_SERVER.format(address=address, port=number, blank=BLANK) for address, number in ready
                )
                text = VIRTUAL_SERVER.format(
                    name=name, vip=entry.vip, port=port["port"], method=entry.method,
                    protocol=port.get("protocol", "TCP"), real_servers=real, blank=BLANK,
                )  # fmt: skip
                found.append((name, entry.vip, port["port"], text))
        return found

    def sync(self) -> None:
        """Writes the file in place, as keepalived-vip does. Sends SIGHUP only if the text is new."""
        text = self.render()
        self.conf.write_text(text)
        if text == self._written:
            return
        self._written = text
        if self._process is None:
            self._process = subprocess.Popen(self.command)
            threading.Thread(target=self._end_with_keepalived, daemon=True).start()
        else:
            self._process.send_signal(signal.SIGHUP)

    def _end_with_keepalived(self) -> None:
        """Ends the container when keepalived ends."""
        os._exit(self._process.wait() if self._process else 1)

    def stop(self, number: int, _frame: object) -> None:
        """Handles SIGTERM: keepalived hands over its VIPs and removes them, then the container ends."""
        if self._process is None:
            os._exit(128 + number)
        self._process.terminate()

    def _follow(self, plural: str, *where: str) -> None:
        while True:
            try:
                for event in client.watch(plural, *where):
                    # only a modified ConfigMap triggers a sync; so does the start of the watch
                    if event is None or plural == "endpoints" or event["type"] == "MODIFIED":
                        self.changed.set()
            except (OSError, ValueError):  # the API does not answer (yet), or the connection broke in a line
                time.sleep(RETRY_SECONDS)

    def run(self) -> None:
        """Syncs after each change, at most once in two seconds."""
        signal.signal(signal.SIGTERM, self.stop)
        for arguments in (("configmaps", *self.configmap), ("endpoints",)):
            threading.Thread(target=self._follow, args=arguments, daemon=True).start()
        while True:
            self.changed.wait()
            self.changed.clear()
            try:
                self.sync()
            except (client.ApiError, OSError) as error:
                print(f"sync: {error}", file=sys.stderr, flush=True)
                self.changed.set()
                time.sleep(RETRY_SECONDS)
                continue
            time.sleep(MIN_SECONDS_BETWEEN_SYNCS)


def main() -> None:
    """Runs the controller. LAB_ROOT is the root folder of another version of keepalived."""
    flags = dict(argument[2:].partition("=")[::2] for argument in sys.argv[1:])
    root = os.environ.get("LAB_ROOT", "/")
    keepalived = [os.environ.get("LAB_KEEPALIVED", "/usr/sbin/keepalived"), *KEEPALIVED_ARGS]
    command = keepalived if root == "/" else ["chroot", root, *keepalived]
    Controller(flags, Path(root, "etc/keepalived/keepalived.conf"), command).run()


if __name__ == "__main__":
    main()
