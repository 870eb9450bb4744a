"""Finds what a process changes on the system, from its system calls by strace(1).

It has a list of harmless calls and counts every other call as a change, so it also finds unexpected changes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def _calls(text: str) -> frozenset[str]:
    return frozenset(text.split())


# They change something with any arguments. io_uring_setup: strace does not see the operations of a ring.
ALWAYS = _calls(
    "creat rename renameat renameat2 unlink unlinkat rmdir mkdir mkdirat mknod mknodat link linkat symlink symlinkat "
    "chmod fchmodat chown fchown lchown fchownat truncate fallocate fsync fdatasync sync syncfs copy_file_range "
    "setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr utime utimes utimensat futimesat "
    "mount umount2 pivot_root swapon swapoff reboot sethostname setdomainname clock_settime settimeofday adjtimex "
    "init_module finit_module delete_module bpf ptrace process_vm_writev add_key keyctl shmget mq_open io_uring_setup"
)
SIGNALS = _calls("kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal")
OPENING = _calls("open openat openat2")
WRITING = _calls("write pwrite64 writev pwritev pwritev2 sendfile splice tee vmsplice fchmod ftruncate")
SENDING = _calls("sendto sendmsg sendmmsg")
NETWORK = _calls("socket socketpair connect setsockopt ioctl")
CALLS = ALWAYS | SIGNALS | OPENING | WRITING | SENDING | NETWORK | {"execve", "execveat"}

FOR_WRITING = re.compile(r"\bO_(WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)\b")
NO_FILES = frozenset({"/dev/null", "/dev/tty", "/proc/self/oom_score_adj"})
OWN = re.compile(r"\d+<(pipe:\[|socket:\[|anon_inode:|/memfd:|/dev/null>|/dev/tty>|/proc/\d+/oom_score_adj>)")
"""Harmless descriptors as strace -y prints them. ``oom_score_adj`` is opened by /proc/self only: the process' own."""
OPTIONS = re.compile(
    r"SOL_SOCKET, SO_(ATTACH_FILTER|TIMESTAMP\w*|RCVTIMEO\w*|RCVBUF\w*|SNDBUF|PASSCRED)"
    r"|SOL_NETLINK, |SOL_IP(V6)?, IP(V6)?_RECVERR"
)
READ_REQUESTS = re.compile(r"TCGETS|TIOCG\w+|FIONBIO|FIONREAD|FIOCLEX|SIOCG\w+")
SPEED_QUERY = ("SIOCGIFFLAGS", "SIOCETHTOOL")
"""How psutil reads a link's speed (ETHTOOL_GSET, which strace does not decode): always directly after its flags."""
ROUTE_GET = 2
"""An rtnetlink request has the number 16 + 4 × object + 0 (NEW), 1 (DEL), 2 (GET) or 3 (SET), see rtnetlink(7)."""
NLMSG = re.compile(r"""nlmsg_len=(\d+), nlmsg_type=(\w+)[^}]*\}(?:, (?:"\\x(\w\w)|\{cmd=(\w+)))?""")
"""A netlink message. The first byte of a generic one is its command; strace 6.1 prints the bytes
(``"\\x03\\x01…"``), strace 6.13 decodes them (``{cmd=CTRL_CMD_GETFAMILY, version=1}``, ``{cmd=0x4, version=1}``)."""
NAMES = {"CTRL_CMD_GETFAMILY": 3}  # include/uapi/linux/genetlink.h
QUERIES = {
    "nlctrl": frozenset({3}),
    "IPVS": frozenset({4, 8, 11, 13, 15}),  # ip_vs.h: GET_SERVICE, _DEST, _DAEMON, _CONFIG, _INFO
}
"""Generic netlink family → its commands that only read."""


def strace(output: str) -> list[str]:
    """Returns the beginning of a command line that traces a command and its children."""
    calls = ",".join(f"?{call}" for call in sorted(CALLS))
    how = ["-f", "--seccomp-bpf", "-y", "-x", "-s", "64", "-e", f"trace={calls}", "-e", "signal=none"]
    return ["strace", *how, "-o", output]


def netlink_messages(rest: str) -> list[tuple[str, int | None]]:
    """Returns the family or type, and the generic netlink command, of each message that a call sends.

    The command is None if strace does not show it, or shows an unknown name.
    """
    return [
        (kind, int(byte, 16) if byte else NAMES.get(word) if not word[:1].isdigit() else int(word, 0))
        for length, kind, byte, word in NLMSG.findall(rest)
        if int(length)
    ]


def whole_lines(text: str) -> Iterator[str]:
    """Yields the calls of a trace, and joins those that strace split because of another thread."""
    begun: dict[str, str] = {}
    for line in text.splitlines():
        thread = line.partition(" ")[0]
        if line.endswith("<unfinished ...>"):
            begun[thread] = line.removesuffix("<unfinished ...>").rstrip()
        elif match := re.match(r"\d+ +<\.\.\. \w+ resumed>(.*)", line):
            yield begun.pop(thread, "") + match[1]
        else:
            yield line
    yield from begun.values()


@dataclass
class Trace:
    """The result of a trace.

    Attributes:
        calls: The number of system calls.
        changes: The lines that change something, or may.
        programs: The arguments of each execve.
    """

    calls: int = 0
    changes: list[str] = field(default_factory=list)
    programs: list[str] = field(default_factory=list)
    _own: set[str] = field(default_factory=set)  # the command's processes and threads, and their children
    _harmless_sockets: set[str] = field(default_factory=set)  # sockets to itself or to a name server
    _ioctls: dict[str, str] = field(default_factory=dict)  # thread → its latest request
    _route: set[str] = field(default_factory=set)  # rtnetlink sockets, which strace does not always recognize

    @classmethod
    def of(cls, text: str) -> Trace:
        """Parses the file that strace wrote."""
        trace = cls(_own=set(re.findall(r"^(\d+) ", text, re.MULTILINE)))
        for line in whole_lines(text):
            if match := re.match(r"(?:(\d+) +)?((\w+)\((.*))", line):
                trace.calls += 1
                if trace._changes(match[3], match[4], match[1] or ""):
                    trace.changes.append(match[2])
        return trace

    def _changes(self, call: str, rest: str, thread: str) -> bool:
        if call in SIGNALS:
            target, *others = re.split(r", |\)", rest)
            number = others[{"tgkill": 1, "rt_tgsigqueueinfo": 1}.get(call, 0)]
            return number != "0" and (call.startswith("pidfd") or target.lstrip("-") not in self._own)
        if call in OPENING:
            path = re.search(r'"([^"]*)"', rest)
            return FOR_WRITING.search(rest) is not None and (path is None or path[1] not in NO_FILES)
        if call in WRITING:
            return OWN.match(rest) is None
        if call in SENDING:
            return self._sends(rest)
        if call in {"execve", "execveat"}:
            self.programs.append(rest)
            return False
        if call == "ioctl":
            return self._ioctl_changes(rest, thread)
        return self._network(call, rest) if call in NETWORK else True

    def _ioctl_changes(self, rest: str, thread: str) -> bool:
        before = self._ioctls.get(thread)
        request = self._ioctls[thread] = (re.findall(r", (\w+)", rest) or [""])[0]
        return (before, request) != SPEED_QUERY and READ_REQUESTS.search(rest) is None

    def _sends(self, rest: str) -> bool:
        messages = netlink_messages(rest)
        socket = re.match(r"\d+<(socket:\[\d+\])>", rest)
        if not messages:
            return socket is None or socket[1] not in self._harmless_sockets
        is_route = socket is not None and socket[1] in self._route
        return not all(
            kind.startswith("RTM_GET")
            or command in QUERIES.get(kind, ())
            or (is_route and kind.startswith("0x") and int(kind, 0) % 4 == ROUTE_GET)
            for kind, command in messages
        )

    def _network(self, call: str, rest: str) -> bool:
        sockets = re.findall(r"socket:\[\d+\]", rest)
        if call == "socket":
            if "NETLINK_ROUTE" in rest:
                self._route.update(sockets)
            return False
        if call == "socketpair":
            self._harmless_sockets.update(sockets)  # asyncio wakes itself
            return False
        if call == "connect":
            if "sin_port=htons(53)" in rest or "sin6_port=htons(53)" in rest:  # keepalived resolves its own host name
                self._harmless_sockets.update(sockets)
                return False
            return re.search(r"sa_family=AF_NETLINK.* nl_pid=0,|/nscd/socket", rest) is None
        return OPTIONS.search(rest) is None
