"""A network namespace with an IPVS table of every kind of rule, read by kvtui."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from kvtui.backend.ipvs.reader import IpvsReader
from tests.ipvs.ipvsadm import ipvsadm
from tests.lab.poll import poll

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.ipvs import IpvsTable, VirtualServer


NETNS = "kvtui-ipvs"
# all that ipvsadm 1.31 can set; --tun-csum and --tun-nocsum are a tunnel's checksum
RULES = """\
-A -t 10.0.0.1:80 -s wlc
-a -t 10.0.0.1:80 -r 10.1.0.1:8080 -m -w 5 -x 1000 -y 500
-a -t 10.0.0.1:80 -r 10.1.0.2:80 -g -w 0
-a -t 10.0.0.1:80 -r 10.1.0.3:80 -i -w 65535
-a -t 10.0.0.1:80 -r 10.1.0.4:80 -i -w 2 --tun-type gue --tun-port 6080 --tun-csum
-a -t 10.0.0.1:80 -r 10.1.0.5:80 -i -w 2 --tun-type gue --tun-port 6081 --tun-nocsum
-a -t 10.0.0.1:80 -r 10.1.0.6:80 -i -w 2 --tun-type gre --tun-csum
-a -t 10.0.0.1:80 -r [fd01::7]:80 -i -w 3
-A -t 10.0.0.1:443 -s none
-A -u 10.0.0.1:53 -s rr -o
-a -u 10.0.0.1:53 -r 10.1.0.1:53 -m -w 1
-A -u 10.0.0.2:5060 -s rr -p 60 -M 255.255.255.0 --pe sip -o
-A -t 10.0.0.3:0 -s rr -p 300
-a -t 10.0.0.3:0 -r 10.1.0.1:0 -g -w 1
-A --sctp-service 10.0.0.1:99 -s mh -b mh-port
-a --sctp-service 10.0.0.1:99 -r 10.1.0.1:99 -m -w 1
-A -t [fd00::1]:443 -s sh -p 600 -M 64 -b sh-fallback,sh-port
-a -t [fd00::1]:443 -r [fd01::1]:8443 -m -w 1 -x 7 -y 3
-a -t [fd00::1]:443 -r [fd01::2]:443 -g -w 4
-A -f 7 -s lc
-a -f 7 -r 10.1.0.1:0 -m -w 1
-a -f 7 -r 10.1.0.2:0 -g -w 2
-A -f 8 -6 -s rr -p 50 -M 96
-a -f 8 -6 -r [fd01::1]:0 -m -w 1
-A -f 2147483647 -s rr
"""


def command(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@contextlib.contextmanager
def namespace(name: str) -> Iterator[int]:
    """Creates a network namespace with a process in it, and yields the process' PID."""
    command("ip", "netns", "add", name)
    command("ip", "-n", name, "link", "set", "lo", "up")
    process = subprocess.Popen(["ip", "netns", "exec", name, "sleep", "1000"])
    inode = Path("/run/netns", name).stat().st_ino
    try:
        poll(lambda: Path(f"/proc/{process.pid}/ns/net").stat().st_ino == inode, 10, f"a process in {name}")
        yield process.pid
    finally:
        process.kill()
        process.wait()
        command("ip", "netns", "del", name)


def load(text: str) -> None:
    ipvsadm(NETNS, "-R", text=text)


def read(pid: int) -> IpvsTable:
    with IpvsReader(pid) as reader:
        table = reader.read()
        assert reader.detail == ""
        return table


def lines(output: str) -> list[str]:
    return sorted(line.strip() for line in output.splitlines())


def real_servers(listing: dict[tuple[str, str], tuple[str, ...]]) -> dict[tuple[str, str], tuple[str, ...]]:
    return {key: value for key, value in listing.items() if key[1]}


def virtual(table: IpvsTable, name: str) -> VirtualServer:
    return next(v for v in table.virtual_servers if v.name == name)
