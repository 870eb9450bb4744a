"""Situations as data: the change, and its node. The test compares the prediction with the observation."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from tests.lab.owners import OFFSET
from tests.lab.spec import ECHO, NGINX, ClusterSpec, real4

PRIORITY = "priority *"
"""In an edit, stands for the node's present priority."""
Edit = tuple[str, str]
"""A text in the node's config, and its replacement."""


@dataclass(frozen=True)
class Row:
    """One situation."""

    name: str
    words: tuple[str, ...]  # the command, without its options
    spec: ClusterSpec
    node: Literal["master", "backup"] = "master"
    edits: tuple[Edit, ...] = ()
    files: tuple[tuple[str, str], ...] = ()  # written into the pod's /tmp first
    parts: tuple[str, ...] = field(default=())  # texts that the plan's effects must contain


BASE = ClusterSpec(services=(NGINX,), requests_per_second=0, delay_loop=1, advert_int=1)
"""An advert_int of 1: on a busy machine more frequent adverts are late, and VIPs move without a cause."""
V2 = replace(BASE, vrrp_version=2)
UNICAST = replace(BASE, unicast=True)
NOPREEMPT = replace(BASE, preempt=False)
DELAY = replace(BASE, extra_instance="preempt_delay 3")


def script(name: str, command: str, *lines: str) -> str:
    text = "".join(f"  {line}\n" for line in (f"script {command}", "interval 1", *lines))
    return f"vrrp_script {name} {{\n{text}}}\n"


DEFINED = "".join((
    script("good", "/bin/true"),
    script("bad", "/bin/false"),
    script("endless", '"/bin/sleep 600"', "timeout 2"),
    script("polite", '"/bin/sh /tmp/polite"'),
    script("stubborn", '"/bin/sh /tmp/stubborn"'),
    script("slow", '"/bin/sleep 7"', "timeout 9"),
    script("late", "/bin/true", "init_fail"),
    script("patient", "/bin/false", "fall 3"),
))  # fmt: skip
SCRIPT_FILES = (
    ("polite", "trap 'exit 0' TERM\nwhile :; do sleep 0.1; done\n"),
    ("stubborn", "trap '' TERM\nwhile :; do sleep 0.1; done\n"),
)
"""Scripts that run until they get SIGTERM: one exits with 0 then, one ignores the signal."""
SCRIPTS = replace(BASE, extra_global=f"}}\n{DEFINED}global_defs {{", priorities=(100, 101, 104))
WEIGHTED = replace(SCRIPTS, extra_instance="track_script {\n    good weight 30\n  }")
FAILING = replace(SCRIPTS, extra_instance="track_script {\n    bad weight -30\n  }")
SECOND = """
vrrp_instance more {
  state BACKUP
  interface eth0
  virtual_router_id 61
  priority PRIORITY
  advert_int 1
  virtual_ipaddress {
    10.4.0.61
  }
}
"""
TWO = replace(BASE, extra=SECOND)
GROUP = replace(SCRIPTS, extra=SECOND + "vrrp_sync_group both {\n  group {\n    vips\n    more\n  }\n}\n")
FILES = replace(BASE, extra_instance="track_file {\n    offset weight 1\n  }", extra_global=OFFSET)

VIPS = "virtual_ipaddress {\n    10.4.0.50"
ADVERT = "advert_int 1"
INSTANCE_END = "  track_interface {\n    eth0\n  }"


def reload(name: str, spec: ClusterSpec, *edits: Edit, **changes: object) -> Row:
    return Row(f"reload: {name}", ("reload",), spec, edits=edits, **changes)  # type: ignore[arg-type]


def tracking(text: str) -> Edit:
    return (INSTANCE_END, f"{INSTANCE_END}\n  {text}")


RELOADS = (
    reload("nothing changes", BASE),
    reload("priority lower than a silent backup's", BASE, ("priority 102", "priority 90")),
    reload("priority lower, unicast", UNICAST, ("priority 102", "priority 90")),
    reload("priority lower, nopreempt everywhere", NOPREEMPT, (PRIORITY, "priority 90")),
    reload("priority lower, preempt_delay", DELAY, ("priority 102", "priority 90")),
    reload("priority higher", BASE, ("priority 102", "priority 150")),
    reload("priority 255", BASE, ("priority 102", "priority 255")),
    reload("nopreempt added", BASE, (ADVERT, f"nopreempt\n  {ADVERT}")),
    reload("state MASTER", BASE, ("state BACKUP", "state MASTER")),
    reload("VIP added", BASE, (VIPS, f"{VIPS}\n    10.4.0.77")),
    reload("VIP replaced", BASE, (VIPS, VIPS.replace("0.50", "0.78"))),
    reload("excluded VIP added", BASE, (VIPS, f"virtual_ipaddress_excluded {{\n 10.4.0.79\n }}\n  {VIPS}")),
    reload("advert_int 1 to 2, v3", BASE, (ADVERT, "advert_int 2")),
    reload("advert_int 1 to 2, v2", V2, ("advert_int 1", "advert_int 2")),
    reload("auth_pass added, v2", V2, tracking("authentication {\n auth_type PASS\n auth_pass lab1\n }")),
    reload(
        "auth_pass added, v3, which has none", BASE, tracking("authentication {\n auth_type PASS\n auth_pass lab1\n }")
    ),
    reload("version 2 to 3", V2, ("vrrp_version 2", "vrrp_version 3")),
    reload("version 3 to 2", BASE, ("vrrp_version 3", "vrrp_version 2")),
    reload("VRID", BASE, ("virtual_router_id 50", "virtual_router_id 52")),
    reload("unicast added on this node alone", BASE, tracking("unicast_peer {\n 10.4.0.3\n 10.4.0.4\n }")),
    reload("instance renamed", BASE, ("vrrp_instance vips", "vrrp_instance web")),
    reload("another instance added", BASE, ("# Service:", SECOND.replace("PRIORITY", "100") + "# Service:")),
    reload("an instance removed", TWO, (SECOND.replace("PRIORITY", "102"), "")),
    reload("script added that succeeds", SCRIPTS, tracking("track_script {\n good\n }")),
    reload("script with a weight added that succeeds", SCRIPTS, tracking("track_script {\n good weight 10\n }")),
    reload("script added that fails", SCRIPTS, tracking("track_script {\n bad\n }")),
    reload("script of weight -10 added that fails", SCRIPTS, tracking("track_script {\n bad weight -10\n }")),
    reload("script added that does not end", SCRIPTS, tracking("track_script {\n endless\n }")),
    reload(
        "script added that exits with 0 at its time limit",
        SCRIPTS,
        tracking("track_script {\n polite\n }"),
        files=SCRIPT_FILES,
    ),
    reload("script added that ignores SIGTERM", SCRIPTS, tracking("track_script {\n stubborn\n }"), files=SCRIPT_FILES),
    reload(
        "script of weight -10 added that does not end", SCRIPTS, tracking("track_script {\n endless weight -10\n }")
    ),
    reload("script added that takes 7 s", SCRIPTS, tracking("track_script {\n slow\n }")),
    reload("script added with init_fail that succeeds", SCRIPTS, tracking("track_script {\n late\n }")),
    reload("script added with fall 3 that fails", SCRIPTS, tracking("track_script {\n patient\n }")),
    reload("weighted script changed into one that fails", WEIGHTED, ("script /bin/true", "script /bin/false")),
    reload("script that fails changed into one that succeeds", FAILING, ("script /bin/false", "script /bin/true")),
    reload("weighted script removed", WEIGHTED, ("good weight 30", "good weight 0")),
    reload("priority higher under a weighted script", WEIGHTED, ("priority 104", "priority 110")),
    reload("backup: nothing changes", BASE, node="backup"),
    reload("backup: priority above the master's", BASE, ("priority 100", "priority 150"), node="backup"),
    reload("backup: priority equal to the master's", BASE, ("priority 100", "priority 102"), node="backup"),
    reload("backup: priority lower", BASE, ("priority 100", "priority 50"), node="backup"),
    reload("backup with nopreempt: priority above", NOPREEMPT, (PRIORITY, "priority 150"), node="backup"),
    reload("backup with preempt_delay: priority above", DELAY, ("priority 100", "priority 150"), node="backup"),
    reload("backup: VIP added", BASE, (VIPS, f"{VIPS}\n    10.4.0.77"), node="backup"),
    reload("backup: VRID", BASE, ("virtual_router_id 50", "virtual_router_id 52"), node="backup"),
    reload(
        "backup: auth_pass added, v2",
        V2,
        tracking("authentication {\n auth_type PASS\n auth_pass lab1\n }"),
        node="backup",
    ),
    reload("backup: version 3 to 2", BASE, ("vrrp_version 3", "vrrp_version 2"), node="backup"),
    reload("backup: script added that fails", SCRIPTS, tracking("track_script {\n bad\n }"), node="backup"),
    reload(
        "sync group: a script of one member fails",
        GROUP,
        ("virtual_router_id 61", "virtual_router_id 61\n  track_script {\n    bad\n  }"),
    ),
    reload("sync group: priority of one member lower", GROUP, ("priority 104", "priority 90")),
    reload("track file added that is 0", FILES, ("offset weight 1", "offset weight 2")),
    reload("weight of a real server", BASE, ("weight 1", "weight 5")),
    reload("scheduler", BASE, ("lvs_sched wlc", "lvs_sched rr")),
    reload("method", BASE, ("lvs_method DR", "lvs_method NAT")),
    reload("persistence", BASE, ("lvs_sched wlc", "lvs_sched wlc\n  persistence_timeout 100")),
    reload(
        "virtual server removed",
        replace(BASE, services=(NGINX, ECHO)),
        ("virtual_server 10.4.0.51 80", "virtual_server 10.4.0.50 81"),
    ),
)


def priority(name: str, value: int, spec: ClusterSpec, **changes: object) -> Row:
    return Row(f"priority: {name}", ("priority", "vips", str(value)), spec, **changes)  # type: ignore[arg-type]


PRIORITIES = (
    priority("master lower", 90, BASE),
    priority("master lower by one", 101, BASE),
    priority("master higher", 110, BASE),
    priority("master 255", 255, BASE),
    priority("master the same", 102, BASE),
    priority("master lower, unicast", 90, UNICAST),
    priority("master higher, unicast", 110, UNICAST),
    priority("master lower, nopreempt", 90, NOPREEMPT),
    priority("master lower, preempt_delay", 90, DELAY),
    priority("master lower, weighted script", 60, WEIGHTED),
    priority("master higher, weighted script", 120, WEIGHTED),
    priority("master lower, v2", 90, V2),
    priority("master lower, two instances", 90, TWO),
    priority("master lower, sync group", 90, GROUP),
    priority("master lower, track file", 90, FILES),
    priority("master higher, track file", 120, FILES),
    priority("backup above the master", 150, BASE, node="backup"),
    priority("backup equal to the master", 102, BASE, node="backup"),
    priority("backup lower", 50, BASE, node="backup"),
    priority("backup above, nopreempt", 150, NOPREEMPT, node="backup"),
    priority("backup above, preempt_delay", 150, DELAY, node="backup"),
    priority("backup above, unicast", 150, UNICAST, node="backup"),
    priority("backup above, sync group", 150, GROUP, node="backup"),
)


def failover(name: str, spec: ClusterSpec, **changes: object) -> Row:
    return Row(f"failover: {name}", ("failover", "vips"), spec, **changes)  # type: ignore[arg-type]


FAILOVERS = (
    failover("multicast", BASE),
    failover("unicast", UNICAST),
    failover("nopreempt", NOPREEMPT),
    failover("nopreempt, unicast", replace(NOPREEMPT, unicast=True)),
    failover("preempt_delay", DELAY),
    failover("v2", V2),
    failover("weighted script", WEIGHTED),
    failover("track file", FILES),
    failover("two instances", TWO),
    failover("sync group", GROUP),
    failover("one node alone", replace(BASE, nodes=1)),
)

WEB = "# Service: default-nginx"


def drain(name: str, spec: ClusterSpec, *edits: Edit, **changes: object) -> Row:
    """Returns a drain situation; the edits are reloaded before the drain."""
    words = ("drain", str(changes.pop("real", real4(1))), *changes.pop("options", ()))  # type: ignore[misc]
    return Row(f"drain: {name}", words, spec, edits=edits, **changes)  # type: ignore[arg-type]


def block(number: int) -> str:
    """Returns the config block of a real server."""
    return f"""
  real_server {real4(number)} 80 {{
    weight 1
    TCP_CHECK {{
      connect_port 80
      connect_timeout 3
    }}
  }}
"""


def by_file(*numbers: int) -> tuple[Edit, ...]:
    """Returns edits that give these real servers a FILE_CHECK, so that its track file drains them."""
    files = "".join(f"track_file rs{n} {{\n  file /tmp/rs{n}\n}}\n" for n in numbers)
    checks = [
        (f"{real4(n)} 80 {{\n", f"{real4(n)} 80 {{\n FILE_CHECK {{\n track_file rs{n}\n weight 1\n }}\n")
        for n in numbers
    ]
    return (("vrrp_instance vips {", f"{files}vrrp_instance vips {{"), *checks)


SORRY = ((block(3), f"  sorry_server {real4(3)} 80\n"), (block(2), "\n"))
"""Edits that leave one real server and a sorry server."""
LAST = ((block(3), "\n"), (block(2), "\n"))
QUORUM = (f"{WEB}\nvirtual_server {NGINX.vip} 80 {{", f"{WEB}\nvirtual_server {NGINX.vip} 80 {{\n  quorum 3")
HYSTERESIS = (QUORUM[0], f"{QUORUM[1]}\n  hysteresis 1")
HASHED = replace(BASE, scheduler="sh")
SHARED_FILE = ("virtual_ipaddress {", "track_file {\n    rs1 weight 10\n  }\n  virtual_ipaddress {")

DRAINS = (
    drain("one of three", BASE),
    drain("one of two, NAT", replace(BASE, method="NAT", services=(NGINX, ECHO)), real=real4(4)),
    drain(
        "one of three, slowly, and waiting",
        BASE,
        (f"{real4(1)} 80 {{\n    weight 1", f"{real4(1)} 80 {{\n    weight 10"),
        options=("--over", "3s", "--timeout", "60"),
    ),
    drain(
        "one that has most of the weight", BASE, (f"{real4(1)} 80 {{\n    weight 1", f"{real4(1)} 80 {{\n    weight 20")
    ),
    drain("the last one", BASE, *LAST),
    drain("the last one, beside a sorry server", BASE, *SORRY),
    drain("one of three, source hashing", HASHED),
    drain("one of three, maglev hashing", replace(BASE, scheduler="mh")),
    drain("one of three, persistent clients", replace(BASE, persistence=60)),
    drain("one of three, quorum 3", BASE, QUORUM),
    drain("one of three, on a backup", BASE, node="backup"),
    drain("by a track file: one of three", BASE, *by_file(1)),
    drain("by a track file: the last one", BASE, *LAST, *by_file(1)),
    drain("by a track file: the last one, beside a sorry server", BASE, *SORRY, *by_file(1)),
    drain("by a track file: one of three, quorum 3", BASE, QUORUM, *by_file(1)),
    drain("by a track file: one of three, quorum 3, hysteresis 1", BASE, HYSTERESIS, *by_file(1)),
    drain("by a track file that the instance tracks too", BASE, *by_file(1), SHARED_FILE),
)

ROWS = (*RELOADS, *PRIORITIES, *FAILOVERS, *DRAINS)

QUICK = frozenset(
    (
        *(
            f"reload: {name}"
            for name in (
                "nothing changes",
                "priority lower than a silent backup's",
                "priority higher",
                "nopreempt added",
                "state MASTER",
                "VIP added",
                "VIP replaced",
                "excluded VIP added",
                "advert_int 1 to 2, v3",
                "auth_pass added, v3, which has none",
                "VRID",
                "another instance added",
                "script added that succeeds",
                "script added that fails",
                "script of weight -10 added that fails",
                "backup: priority above the master's",
                "backup: priority equal to the master's",
                "weight of a real server",
                "scheduler",
            )
        ),
        *(
            f"priority: {name}"
            for name in (
                "master lower",
                "master lower by one",
                "master higher",
                "master 255",
                "master lower, weighted script",
                "backup above the master",
                "backup equal to the master",
                "backup lower",
            )
        ),
        *(f"failover: {name}" for name in ("multicast", "nopreempt", "weighted script")),
        *(
            f"drain: {name}"
            for name in (
                "one of three",
                "the last one",
                "one of three, quorum 3",
                "one of three, on a backup",
                "by a track file: one of three",
                "by a track file that the instance tracks too",
            )
        ),
    )
)
"""The third of the situations that `make test` runs: some of each kind, on few clusters."""
