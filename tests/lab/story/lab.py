"""`lab`: the commands of the lab's shell, as one program, so that they hide no other command."""

from __future__ import annotations

import ipaddress
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.lab.story import client, tour, world

USAGE_ERROR = 2
OPTIONAL, ANY = -1, -2
FOLDER = Path("/run/lab/default")
NODES = ("node-a", "node-b", "node-c")
FIRST, LAST = ipaddress.IPv4Address("10.4.0.50"), ipaddress.IPv4Address("10.4.0.99")
HELP = """\
The lab: three nodes run keepalived in pods like keepalived-vip's; a client sends requests. kvtui shows node-c.
Leave: q in kvtui (Alt-1). The lab stops and leaves nothing on your machine.

  lab tour                        what to try, in six steps
  lab vips                        the entries of the ConfigMap
  lab vip add VIP SERVICE         such as: lab vip add 10.4.0.52 default/nginx (or default/nginx:DR)
  lab vip remove VIP
  lab endpoint down|up POD        the pod becomes unready (ready): its endpoint leaves (joins) the Service
  lab server down|up POD          the pod stops (starts) answering: the health check notices
  lab crash|stop|start NODE       SIGKILL leaves the VIPs behind; SIGTERM hands them over
  lab split [NODE]                multicast reaches only this node (node-c): every node becomes MASTER
  lab cut NODE                    pull the node's cable
  lab mend                        end every split and cut
  lab edit NODE                   its keepalived.conf, by hand: the controller overwrites it at its next change
  lab log NODE                    what controller and keepalived log
  lab on NODE COMMAND...          any command on a node, on a real server (rs-1 ... rs-5), or on the client:
                                  lab on node-a kvtui, lab on client curl 10.4.0.50

The API takes kubectl, where it is installed: kubectl edit configmap vip-configmap"""


class RefusedError(Exception):
    """A command cannot be done; the text says why, and what to type instead."""


def known(name: str, names: tuple[str, ...], what: str) -> str:
    """Returns the name if it is one of these names; else raises RefusedError."""
    if name not in names:
        raise RefusedError(f'no {what} "{name}"; there are {", ".join(names)}')
    return name


def main_pid(node: str) -> int | None:
    """Returns the PID of the controller, which is PID 1 of the node's pod; None if the pod does not run."""
    try:
        pod = (FOLDER / known(node, NODES, "node") / "pod").read_text().strip()
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]) if (pid := int(pod)) else None
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return None


def add_vip(vip: str, service: str) -> str:
    """Adds an entry to the ConfigMap."""
    try:
        address = ipaddress.ip_address(vip)
    except ValueError:
        raise RefusedError(f'"{vip}" is no address; type one such as 10.4.0.52') from None
    if not (isinstance(address, ipaddress.IPv4Address) and FIRST <= address <= LAST):
        raise RefusedError(f"{vip} is not in the lab's network; choose one from {FIRST} to {LAST}")
    service = service if "/" in service or not service else f"default/{service}"
    _edit_configmap(vip, service)
    return f"{vip}: {service} is in the ConfigMap. Watch screen 1, then: curl {vip}"


def remove_vip(vip: str) -> str:
    """Removes an entry of the ConfigMap."""
    known(vip, tuple(_configmap().get("data") or {}), "VIP")
    _edit_configmap(vip, None)
    return f"{vip} is no longer in the ConfigMap."


def list_vips() -> str:
    """Lists the ConfigMap's entries."""
    lines = [f"  {vip}: {value or '(VIP only)'}" for vip, value in (_configmap().get("data") or {}).items()]
    return "\n".join(["ConfigMap default/vip-configmap", *lines])


def _configmap() -> client.Object:
    found: client.Object = client.get("configmaps", *client.CONFIGMAP)
    return found


def _edit_configmap(vip: str, value: str | None) -> None:
    configmap = _configmap()
    data = {name: text for name, text in (configmap.get("data") or {}).items() if name != vip}
    client.put("configmaps", {**configmap, "data": data if value is None else {**data, vip: value}})


def endpoint(state: str, pod: str) -> str:
    """Sets the readiness of a pod."""
    all_pods = world.pods()
    client.put("pods", world.with_readiness(all_pods[known(pod, tuple(all_pods), "pod")], ready=state == "up"))
    return f"{pod} is {'ready' if state == 'up' else 'not ready'}."


def server(state: str, pod: str) -> str:
    """Sets a pod's link up or down."""
    link = f"{world.server_of(known(pod, tuple(world.pods()), 'pod'))}-l"
    _run("ip", "link", "set", link, state)
    return f"{pod} {'answers again' if state == 'up' else 'no longer answers'}: the next health checks see it."


def send(number: signal.Signals, node: str) -> str:
    """Sends a signal to a node's pod."""
    pid = main_pid(node)
    if pid is None:
        raise RefusedError(f"keepalived does not run on {node}; start it: lab start {node}")
    os.kill(pid, number)
    return f"{number.name} to the pod on {node}. Start it again: lab start {node}"


def start(node: str) -> str:
    """Starts a node's pod again."""
    if main_pid(node) is not None:
        raise RefusedError(f"keepalived runs on {node}")
    _run("sh", str(FOLDER / node / "start"))
    return f"{node} starts."


def split(node: str = "node-c") -> str:
    """Blocks multicast to the other nodes."""
    for other in NODES:
        if other != known(node, NODES, "node"):
            _run("bridge", "link", "set", "dev", f"{other}-l", "mcast_flood", "off")
    return f"Multicast reaches only {node}. End it: lab mend"


def cut(node: str) -> str:
    """Sets a node's link down."""
    _run("ip", "link", "set", f"{known(node, NODES, 'node')}-l", "down")
    return f"The cable of {node} is pulled. End it: lab mend"


def mend() -> str:
    """Restores all nodes' links and multicast."""
    for node in NODES:
        _run("ip", "link", "set", f"{node}-l", "up")
        _run("bridge", "link", "set", "dev", f"{node}-l", "mcast_flood", "on")
    return "All nodes hear each other again."


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RefusedError(f"{' '.join(command)}: {done.stderr.strip()}")


def show_tour(*words: str) -> str:
    """Shows the next step of the tour, or the given one."""
    number = tour.advance(FOLDER / "tour", list(words))
    if number is None:
        raise RefusedError(f"the tour has steps 1 to {len(tour.STEPS)}: lab tour 1")
    return tour.step_text(number)


def edit(node: str) -> str:
    """Opens the node's keepalived.conf in an editor."""
    conf = FOLDER / known(node, NODES, "node") / "etc" / "keepalived.conf"
    return become(os.environ.get("EDITOR") or "vi", str(conf))


def log(node: str) -> str:
    """Follows the log of a node's pod."""
    return become("tail", "-n", "40", "-f", str(FOLDER / known(node, NODES, "node") / "keepalived.log"))


def become(*command: str) -> str:
    """Replaces this process by another program."""
    sys.stdout.flush()
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell on purpose
    except FileNotFoundError:
        raise RefusedError(f"{command[0]} is not installed") from None


def on(place: str, *command: str) -> str:
    """Runs a command in a namespace of the lab, with its NODE_NAME."""
    places = tuple(sorted(path.name for path in Path("/run/netns").iterdir()))
    return become("ip", "netns", "exec", known(place, places, "place"), "env", f"NODE_NAME={place}", *command)


Action = Callable[..., str]
COMMANDS: dict[tuple[str, ...], tuple[Action, int]] = {
    ("vips",): (list_vips, 0),
    ("vip", "add"): (add_vip, 2),
    ("vip", "remove"): (remove_vip, 1),
    ("endpoint", "down"): (lambda pod: endpoint("down", pod), 1),
    ("endpoint", "up"): (lambda pod: endpoint("up", pod), 1),
    ("server", "down"): (lambda pod: server("down", pod), 1),
    ("server", "up"): (lambda pod: server("up", pod), 1),
    ("crash",): (lambda node: send(signal.SIGKILL, node), 1),
    ("stop",): (lambda node: send(signal.SIGTERM, node), 1),
    ("start",): (start, 1),
    ("split",): (split, OPTIONAL),
    ("cut",): (cut, 1),
    ("mend",): (mend, 0),
    ("edit",): (edit, 1),
    ("log",): (log, 1),
    ("tour",): (show_tour, OPTIONAL),
    ("on",): (on, ANY),
}
"""Command words → function, and its number of arguments."""


def find(words: list[str]) -> Callable[[], str] | None:
    """Returns the call for these words; None if there is no such command."""
    for name, (action, more) in COMMANDS.items():
        rest = words[len(name) :]
        allowed = {OPTIONAL: len(rest) <= 1, ANY: len(rest) >= 2}.get(more, len(rest) == more)
        if tuple(words[: len(name)]) == name and allowed:
            return lambda: action(*rest)
    return None


def main() -> int:
    """Runs the typed command."""
    words = sys.argv[1:]
    if not words or words[0] in {"help", "-h", "--help"}:
        print(HELP)
        return 0
    action = find(words)
    if action is None:
        print(f'lab: no command "{" ".join(words)}"; "lab" lists all', file=sys.stderr)
        return USAGE_ERROR
    try:
        print(action())
    except (RefusedError, client.ApiError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
