"""The inside of `make run` and `make lab`: brings the cluster up, then gives the terminal to kvtui on node-a.

    python -m tests.lab.stage run|lab [kvtui's arguments]

`KVTUI_LAB_PROGRAM` replaces kvtui, to try the stage itself.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.cluster import BASE, Cluster
from tests.lab.spec import ClusterSpec
from tests.lab.terminal import FAILURE

if TYPE_CHECKING:
    from collections.abc import Sequence

SOCKET = BASE / "tmux"

HINT = """
 Three nodes run keepalived as keepalived-vip's pods do; a client keeps asking.
 Alt-1: kvtui on node-a. Alt-2: this shell. When kvtui quits, the lab goes off.

   stop node-a              SIGTERM: the MASTER hands its VIPs over
   crash node-a             SIGKILL: its VIPs stay behind on the interface
   start node-a             after either
   cut node-b, mend node-b  its cable
   down rs-1                a real server dies: watch the health check
   edit node-a              its keepalived.conf; then reload it in kvtui
   logs node-a              what keepalived says
   on node-c ipvsadm -Ln    any command on a node, rs-1 … rs-5 or client:
   on client curl 10.4.0.50
   on node-c python -m kvtui
"""

SHELL = r"""
PS1='lab:\w# '
lab={folder}
_main() {{ cat "/proc/$(cat "$lab/$1/pod")/task/$(cat "$lab/$1/pod")/children"; }}
on() {{ local netns=$1; shift; ip netns exec "$netns" "$@"; }}
stop() {{ kill $(_main "$1"); }}
crash() {{ kill -9 $(_main "$1"); }}
start() {{ rm -f "$lab/$1"/run/*.pid; sh "$lab/$1/start"; }}
cut() {{ ip link set "$1-l" down; }}
mend() {{ ip link set "$1-l" up; }}
down() {{ kill "$(cat "$lab/$1.pid")"; }}
edit() {{ "${{EDITOR:-vi}}" "$lab/$1/etc/keepalived.conf"; }}
logs() {{ tail -n 40 -f "$lab/$1/keepalived.log"; }}
cat "$lab/hint"
"""

TMUX = """
set -g status-left ""
set -g status-right "Alt-1 kvtui   Alt-2 shell "
set -g status-right-length 40
set -g base-index 1
set -g escape-time 25
set -g default-terminal tmux-256color
set -ga terminal-overrides ",*:Tc"
bind -n M-1 select-window -t :1
bind -n M-2 select-window -t :2
"""


def progress(text: str, began: float = time.monotonic()) -> None:
    """One line that is written over and over, on the console: standard output belongs to kvtui."""
    with open("/dev/console", "w") as console:  # noqa: PTH123
        console.write(f"\r\x1b[K  lab {time.monotonic() - began:4.1f} s  {text}" if text else "\r\x1b[K")


def kvtui_command(cluster: Cluster, arguments: Sequence[str]) -> list[str]:
    """What the operator on node-a types."""
    program = shlex.split(os.environ.get("KVTUI_LAB_PROGRAM", "")) or [sys.executable, "-m", "kvtui"]
    netns = cluster.node("node-a").netns
    # the nodes share the lab's host name; as in a DaemonSet, the node's own comes from NODE_NAME
    return ["ip", "netns", "exec", netns, "env", "NODE_NAME=node-a", *program, *arguments]


def write_shell(cluster: Cluster) -> Path:
    """The files of the shell window: what to try, short commands for it, how to start a node again."""
    for node in cluster.nodes:
        pod = shlex.join(node.pod_argv())
        start = f"setsid {pod} </dev/null >>{node.log_path} 2>&1 &\necho $! >{node.folder}/pod\n"
        (node.folder / "start").write_text(start)
    for name, pid in cluster.pids().items():
        (cluster.folder / f"{name}.pid").write_text(str(pid))
    (cluster.folder / "hint").write_text(HINT)
    rcfile = cluster.folder / "shellrc"
    rcfile.write_text(SHELL.format(folder=cluster.folder))
    return rcfile


def windows(cluster: Cluster, arguments: Sequence[str]) -> int:
    """Show kvtui and the shell in tmux; the end of kvtui is the end of tmux."""
    rcfile = write_shell(cluster)
    status, conf = cluster.folder / "status", cluster.folder / "tmux.conf"
    conf.write_text(TMUX)
    tmux = ["tmux", "-S", str(SOCKET)]
    kvtui = shlex.join(kvtui_command(cluster, arguments))
    first = f"{kvtui}; echo $? >{status}; {shlex.join([*tmux, 'kill-server'])}"
    subprocess.run([*tmux, "-f", str(conf), "new-session", "-d", "-n", "kvtui", first], check=True)
    subprocess.run([*tmux, "new-window", "-d", "-n", "shell", f"bash --rcfile {rcfile} -i"], check=True)
    attach = shlex.join([*tmux, "attach-session"])
    # tmux's server gets no events from user-mode Linux's console (tmux 3.3a); a pseudo-terminal between them helps
    subprocess.run(["script", "-q", "-e", "-c", attach, "/dev/null"], check=False)
    return int(status.read_text()) if status.exists() else 0


def main() -> int:
    """Bring the cluster up and hand over; the kernel's end is the cluster's."""
    mode, *arguments = sys.argv[1:]
    # node-a is the best node: a person sees traffic at once, and sees it leave when they stop it
    cluster = Cluster(ClusterSpec(priorities=(102, 101, 100), persistence=300, advert_int=1), progress=progress)
    try:
        cluster.up()
    except (AssertionError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        Path(os.environ["LAB_OUT"], FAILURE).write_text(str(error))  # terminal.py raises it as a LabError
        return 1
    finally:
        progress("")
    if mode == "lab":
        return windows(cluster, arguments)
    return subprocess.run(kvtui_command(cluster, arguments), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
