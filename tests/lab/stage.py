"""The guest's side of `make run` and `make lab`: starts the lab, then runs kvtui on its MASTER in the terminal.

    python -m tests.lab.stage run|lab [kvtui's arguments]

`KVTUI_LAB_PROGRAM` replaces kvtui, to test this script.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.cluster import BASE
from tests.lab.kernel import PROJECT
from tests.lab.story import world
from tests.lab.story.live import BEST, LiveLab
from tests.lab.terminal import FAILURE

if TYPE_CHECKING:
    from collections.abc import Sequence

SOCKET = BASE / "tmux"
LINES_FOR_BOTH = 36
"""From this height on the shell is below kvtui, which keeps 24 lines; else each has a window."""
SHELL_LINES = 11

LAB = """#!/bin/sh
exec {python} -S -c 'import sys; sys.path.insert(0, "{project}")
from tests.lab.story.lab import main
sys.exit(main())' "$@"
"""
SHELL = """
PS1='lab:\\w# '
complete -W 'tour vips vip endpoint server crash stop start split cut mend edit log on help' lab
echo 'This is the lab: three nodes, a Kubernetes API, traffic. Begin with "lab tour"; "lab" lists all commands.'
echo 'Alt-1: kvtui on {node}. Alt-2: this shell. To leave: q in kvtui.'
"""
TMUX = """
set -g status-left ""
set -g status-right "Alt-1 kvtui   Alt-2 shell   lab tour "
set -g status-right-length 60
set -g base-index 1
set -g pane-base-index 1
set -g escape-time 25
set -g default-terminal tmux-256color
set -ga terminal-overrides ",*:Tc"
bind -n M-1 {first}
bind -n M-2 {second}
"""


def progress(text: str, began: float = time.monotonic()) -> None:
    """Rewrites one line on the console; standard output is kvtui's."""
    with open("/dev/console", "w") as console:  # noqa: PTH123
        console.write(f"\r\x1b[K  lab {time.monotonic() - began:4.1f} s  {text}" if text else "\r\x1b[K")


def environment(lab: LiveLab) -> dict[str, str]:
    """Returns the environment of kvtui and the shell."""
    return {**os.environ, "KUBECONFIG": str(lab.kubeconfig), "KVTUI_LAB": "1"}


def kvtui_command(lab: LiveLab, arguments: Sequence[str]) -> list[str]:
    """Returns the command that runs kvtui on the MASTER."""
    program = shlex.split(os.environ.get("KVTUI_LAB_PROGRAM", "")) or [sys.executable, "-m", "kvtui"]
    # the nodes share the lab's host name; NODE_NAME gives the node's name, as in a DaemonSet
    return ["ip", "netns", "exec", lab.node(BEST).netns, "env", f"NODE_NAME={BEST}", *program, *arguments]


def write_shell(lab: LiveLab) -> Path:
    """Writes the shell's files: the command `lab`, and a script per node that starts it again."""
    for node in lab.nodes:
        pod = shlex.join(node.pod_argv())
        start = f"cd {PROJECT}\nsetsid {pod} </dev/null >>{node.log_path} 2>&1 &\necho $! >{node.folder}/pod\n"
        (node.folder / "start").write_text(start)
    programs = lab.folder / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "lab").write_text(LAB.format(python=shlex.quote(sys.executable), project=PROJECT))
    (programs / "lab").chmod(0o755)
    rcfile = lab.folder / "shellrc"
    rcfile.write_text(f"PATH={programs}:$PATH\n" + SHELL.format(node=BEST))
    return rcfile


def windows(lab: LiveLab, arguments: Sequence[str]) -> int:
    """Shows kvtui and the shell in tmux. tmux ends with kvtui."""
    shell = f"bash --rcfile {write_shell(lab)} -i"
    status, conf = lab.folder / "status", lab.folder / "tmux.conf"
    size = os.get_terminal_size(sys.stdin.fileno())
    both = size.lines >= LINES_FOR_BOTH
    chosen = ("select-pane -t :.1", "select-pane -t :.2") if both else ("select-window -t :1", "select-window -t :2")
    conf.write_text(TMUX.format(first=chosen[0], second=chosen[1]))
    tmux = ["tmux", "-S", str(SOCKET)]
    kvtui = shlex.join(kvtui_command(lab, arguments))
    first = f"{kvtui}; echo $? >{status}; {shlex.join([*tmux, 'kill-server'])}"
    dimensions = ["-x", str(size.columns), "-y", str(size.lines)]
    begin = [*tmux, "-f", str(conf), "new-session", "-d", *dimensions, "-n", "kvtui", first]
    subprocess.run(begin, check=True, env=environment(lab))
    beside = ["split-window", "-d", "-l", str(SHELL_LINES)] if both else ["new-window", "-d", "-n", "shell"]
    subprocess.run([*tmux, *beside, shell], check=True)
    attach = shlex.join([*tmux, "attach-session"])
    # tmux's server gets no events from user-mode Linux's console (tmux 3.3a), but from a pseudo-terminal
    subprocess.run(["script", "-q", "-e", "-c", attach, "/dev/null"], check=False)
    return int(status.read_text()) if status.exists() else 0


def main() -> int:
    """Starts the lab and runs kvtui. The lab ends with the kernel."""
    mode, *arguments = sys.argv[1:]
    lab = LiveLab(progress=progress)
    try:
        lab.up()
        if arguments or not sys.stdin.isatty():  # a command that prints once must not show the lab's start
            progress("the first election")
            lab.begin_traffic()
            lab.wait_for_answer(world.VIP)
    except (AssertionError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        Path(os.environ["LAB_OUT"], FAILURE).write_text(str(error))  # terminal.py raises it as a LabError
        return 1
    finally:
        progress("")
    if not (lab.folder / "go").exists():
        threading.Thread(target=lab.begin_traffic, daemon=True).start()
    if mode == "lab":
        return windows(lab, arguments)
    return subprocess.run(kvtui_command(lab, arguments), check=False, env=environment(lab)).returncode


if __name__ == "__main__":
    sys.exit(main())
