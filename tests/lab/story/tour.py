"""`lab tour`: six steps, each with commands to type and results to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Step(NamedTuple):
    """One step of the tour; ``typed`` has commands for the lab's shell."""

    title: str
    typed: tuple[str, ...]
    look: tuple[str, ...]


STEPS = (
    Step(
        "What is here",
        ("lab vips", "kubectl get configmap vip-configmap -o yaml   # where kubectl is installed"),
        (
            "kvtui, screen 1: three VIPs of the ConfigMap. node-c is MASTER and holds them; a client uses two of them.",
            "Press t on 10.4.0.50: its chain has eight layers, from the ConfigMap to the VRRP owner. Esc closes it.",
        ),
    ),
    Step(
        "A new VIP",
        ("lab vip add 10.4.0.52 default/nginx", "curl 10.4.0.52"),
        (
            "Screen 1: the row appears, and its chain turns green from left to right: the controller writes",
            "keepalived.conf on each node and sends SIGHUP to keepalived. Then the VIP answers.",
        ),
    ),
    Step(
        "An endpoint leaves and returns",
        ("lab endpoint down nginx-2", "lab endpoint up nginx-2"),
        (
            "Screen 3: 10.4.0.12 leaves each VIP of default/nginx, 3/3 becomes 2/2, and then returns.",
            'Then "lab server down nginx-3": the pod stays ready, but stops answering. Its health check fails: 2/3 up.',
        ),
    ),
    Step(
        "Drain a real server by hand, and undo it",
        ("lab on node-c kvtui journal",),
        (
            "Screen 3: choose 10.4.0.11, press d. The plan says what it changes; y applies it, Esc cancels.",
            "Its weight is 0 and its connections end. Then u undoes the drain; the journal has both.",
        ),
    ),
    Step(
        "keepalived dies on the MASTER",
        ("lab crash node-c", "curl 10.4.0.50", "lab start node-c"),
        (
            "Screen 2: another node becomes MASTER within 4 s. But the crash left the VIPs on node-c: two nodes",
            "answer for them. Screen 5 names it, with evidence and the command that helps; y copies the command.",
        ),
    ),
    Step(
        "Split brain",
        ("lab split", "lab mend"),
        (
            "Multicast no longer reaches the other nodes, as behind many a CNI: each becomes MASTER.",
            "Screen 2 shows who advertises, screen 5 the split brain. After lab mend one MASTER is left.",
        ),
    ),
)
END = 'That was the tour. "lab" lists all commands; q in kvtui stops the lab.'


def step_text(number: int) -> str:
    """Returns the text of step ``number``, counted from 1."""
    step = STEPS[number - 1]
    lines = [f"Step {number} of {len(STEPS)}: {step.title}", "", "  Type"]
    lines += [f"    {line}" for line in step.typed]
    lines += ["  Look"]
    lines += [f"    {line}" for line in step.look]
    following = f'Next: "lab tour". Again: "lab tour {number}".' if number < len(STEPS) else END
    return "\n".join([*lines, "", following])


def advance(state: Path, words: list[str]) -> int | None:
    """Returns the number of the step to show and stores it; None if the words are no valid step."""
    last = int(state.read_text()) if state.exists() else 0
    match words:
        case []:
            number = last + 1 if last < len(STEPS) else 1
        case [word] if word.isdecimal() and 1 <= int(word) <= len(STEPS):
            number = int(word)
        case _:
            return None
    state.write_text(str(number))
    return number
