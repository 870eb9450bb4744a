"""The config test runs a program of the container with the rights of the container and no more."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kvtui.backend import config_test
from kvtui.backend.config_test import ConfigTestUnavailableError, ConfigTestUnconfinedError
from kvtui.backend.launcher import rights
from kvtui.backend.linux import procfs
from tests.attacks.targets import status_of, target

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(bool(os.geteuid()), reason="only root may have more rights than another process")

SPACES = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time")
PRINT_RIGHTS = f"""{{
grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp:|Umask)' /proc/self/status
for kind in {" ".join(SPACES)}; do echo "$kind: $(readlink /proc/self/ns/$kind)"; done
echo "root: $(stat -L -c %d:%i /proc/self/root)"
echo "files: $(ls /proc/self/fd | tr '\\n' ' ')"
echo "memory: $(ulimit -v)"
echo "environment: $(env | cut -d= -f1 | sort | tr '\\n' ' ')"
cat /proc/self/cgroup
}}
"""
"""The target's program prints its rights as its config test; kvtui keeps each line as a message."""

UNSHARED = ("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--net", "--ipc", "--uts", "--cgroup", "--time")
FILTER = """
import ctypes, os, struct, sys
allow = struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000)  # SECCOMP_RET_ALLOW
code = ctypes.create_string_buffer(allow)
program = struct.pack("HxxxxxxP", 1, ctypes.addressof(code))
libc = ctypes.CDLL(None)
libc.prctl(38, 1, 0, 0, 0)
assert libc.prctl(22, 2, ctypes.c_char_p(program), 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])
"""
TARGETS = {
    "root": (),
    "namespaces": UNSHARED,
    "user namespace": (*UNSHARED, "--user", "--map-root-user"),
    "nobody": ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs"),
    "groups": ("setpriv", "--reuid", "65533", "--regid", "65532", "--groups", "65530,65531"),
    "few capabilities": ("setpriv", "--bounding-set", "-all,+net_raw,+chown", "--inh-caps", "-all"),
    "ambient": (
        *("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"),
        *("--inh-caps", "+net_raw,+net_admin", "--ambient-caps", "+net_raw"),
    ),
}


@pytest.fixture
def conf_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("conf") / "keepalived.conf"
    file.write_text(PRINT_RIGHTS)
    for folder in (file.parent, file.parent.parent, file.parent.parent.parent):
        folder.chmod(0o755)
    return file


@pytest.mark.parametrize("name", TARGETS)
def test_the_config_test_has_no_more_rights_than_the_target(name: str, conf_file: Path) -> None:
    with target(*TARGETS[name], conf=conf_file) as keepalived:
        result = config_test.run(keepalived)
        proc = Path(f"/proc/{keepalived.pid}")
        theirs = status_of((proc / "status").read_text().splitlines())
        spaces = {kind: (proc / "ns" / kind).readlink().name for kind in SPACES}
        cgroup = status_of((proc / "cgroup").read_text().splitlines())["0"]
    mine = status_of([m.text for m in result.messages])
    assert result.exit_code == 0, result
    for kind, inode in spaces.items():
        assert mine[kind] == inode
    for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(mine[field], 16) & ~int(theirs[field], 16) == 0, field
    assert int(mine["CapEff"], 16) == int(theirs["CapEff"], 16)
    if name != "user namespace":  # ids inside it differ
        assert (mine["Uid"].split(), mine["Gid"].split()) == (theirs["Uid"].split(), theirs["Gid"].split())
        assert sorted(mine["Groups"].split()) == sorted(theirs["Groups"].split())
    else:
        assert mine["Uid"].split() == ["0"] * 4
        assert set(mine["Groups"].split()) <= {"0", "65534"}
    assert (mine["NoNewPrivs"], mine["Umask"]) == (theirs["NoNewPrivs"], theirs["Umask"])
    assert mine["files"].split() == ["0", "1", "2", "3"]  # ls opens 3
    assert mine["memory"] == str(config_test.LIMITS[resource.RLIMIT_AS] >> 10)
    assert set(mine["environment"].split()) <= {"LC_ALL", "OLDPWD", "PATH", "PWD", "SHLVL", "_"}
    if name != "user namespace" and "unshare" not in TARGETS[name]:
        assert mine["0"] == cgroup
    assert f"-f {conf_file} as uid {theirs['Uid'].split()[0]}" in result.ran


def test_the_config_test_gains_no_capabilities_without_cap_setpcap(conf_file: Path) -> None:
    """The sidecar has no CAP_SETPCAP, no CAP_SETGID, and other capabilities than keepalived."""
    code = (
        "import sys; from kvtui.backend import config_test; from tests.kit import keepalived\n"
        "pid = int(sys.argv[1])\n"
        "k = keepalived(pid=pid, root=f'/proc/{pid}/root', argv=('bash',), conf=sys.argv[2])\n"
        "print(*config_test.run(k).messages, sep='\\n')"
    )
    less = "-all,+sys_ptrace,+sys_chroot,+net_raw,+net_admin"
    with target(
        "setpriv", "--bounding-set", "-all,+net_raw,+chown", "--inh-caps", "-all", conf=conf_file
    ) as keepalived:
        words = ["setpriv", "--bounding-set", less, "--inh-caps", "-all", sys.executable, "-c", code]
        words += [str(keepalived.pid), str(conf_file)]
        project = Path(__file__).parents[2]
        done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=project, timeout=300)
    mine = status_of(done.stdout.splitlines())
    assert {int(mine[field], 16) for field in ("CapPrm", "CapEff")} == {1 << 13}  # CAP_NET_RAW: both have it
    assert mine["NoNewPrivs"] == "1"


def test_another_user_can_read_the_running_config(conf_file: Path) -> None:
    for name in ("nobody", "user namespace"):
        with target(*TARGETS[name]) as keepalived:
            result = config_test.run(keepalived, text=conf_file.read_text())
        assert result.exit_code == 0
        files = status_of([m.text for m in result.messages])["files"]
        assert files.split() == ["0", "1", "2", "3", "5"]  # 5 is the config


def test_the_config_test_is_refused_under_a_seccomp_filter(conf_file: Path) -> None:
    with target(sys.executable, "-S", "-c", FILTER, conf=conf_file) as keepalived:
        with pytest.raises(ConfigTestUnconfinedError, match=r"under a seccomp filter.*it was not run. --force"):
            config_test.run(keepalived)
        result = config_test.run(keepalived, force=True)
    assert result.exit_code == 0
    assert "but for a seccomp filter" in result.ran
    assert (result.forced, result.outside) == (True, "a seccomp filter")


@pytest.mark.parametrize("is_there", [True, False])
def test_a_cgroup_that_cannot_be_joined_is_named(
    conf_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_there: bool
) -> None:
    """The target is in another cgroup of version 1; cgroup.procs is a plain file here."""
    texts = {"self": "4:memory:/\n1:name=systemd:/\n0::/\n"}
    monkeypatch.setattr(rights, "CGROUPS", str(tmp_path))
    monkeypatch.setattr(procfs, "cgroup", lambda pid: texts.get(pid, "4:memory:/pod/k\n1:name=systemd:/pod\n0::/\n"))
    joined = tmp_path / "memory/pod/k/cgroup.procs"
    if is_there:
        joined.parent.mkdir(parents=True)
        joined.touch()
    with target(conf=conf_file) as keepalived:
        result = config_test.run(keepalived)
    assert result.exit_code == 0
    assert ("keepalived's cgroup memory:/pod/k, which kvtui cannot join" in result.outside) is not is_there
    assert not is_there or joined.read_text() == "0"


@contextmanager
def hostile(
    tmp_path: Path, script: str, *, timeout: float = 2.0, wrapper: tuple[str, ...] = ()
) -> Iterator[config_test.ConfigTest]:
    conf = tmp_path / "keepalived.conf"
    conf.write_text(f"{{ {script}\n}}\n")
    with target(*wrapper, conf=conf) as keepalived:
        yield config_test.run(keepalived, timeout=timeout)


def test_a_program_that_does_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    mark = tmp_path / "pids"
    with hostile(tmp_path, f"trap '' TERM; sleep 600 & echo $$ $! > {mark}; sleep 600") as result:
        assert (result.timed_out, result.exit_code, result.clean) == (True, None, False)
    for pid in mark.read_text().split():
        state = status_of(Path(f"/proc/{pid}/status").read_text().splitlines()) if Path(f"/proc/{pid}").exists() else {}
        assert state.get("State", "Z").startswith("Z")


@pytest.mark.parametrize("wrapper", [(), UNSHARED], ids=["beside kvtui", "in namespaces"])
@pytest.mark.parametrize("ends", [True, False], ids=["after its end", "at the time limit"])
def test_processes_in_other_sessions_are_killed(tmp_path: Path, wrapper: tuple[str, ...], ends: bool) -> None:
    """The orphans have separate sessions and process groups, and hold the pipe."""
    mark, sleep = tmp_path / "mark", f"sleep 600.{os.getpid()}"
    orphans = f"setsid sh -c '(setsid {sleep} & echo 1 >> {mark}); echo 2 >> {mark}; exec {sleep}' &"
    wait = f"while [ $(wc -l <{mark}) != 2 ]; do sleep 0.01; done; echo ready"
    script = f"touch {mark}; {orphans} {wait}" + ("" if ends else "; sleep 600")
    with hostile(tmp_path, script, timeout=120.0 if ends else 5.0, wrapper=wrapper) as result:
        assert [m.text for m in result.messages] == ["ready"]
        assert (result.exit_code, result.timed_out) == ((0, False) if ends else (None, True))
        assert running(sleep) == []


def running(command: str) -> list[str]:
    """Returns the processes with that command line; a zombie has none."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cmdline").read_bytes().replace(b"\0", b" ").strip() == command.encode():
                found.append(process.name)
    return found


@pytest.mark.parametrize("line", ["exit 3", "setsid sleep 600 & exit 0", "sleep 600", "yes x"])
def test_no_zombie_is_left_for_another_parent(tmp_path: Path, line: str) -> None:
    """A zombie in the target's PID namespace would keep the namespace and its container from ending."""
    set_subreaper(1)
    try:
        with hostile(tmp_path, line, wrapper=UNSHARED):
            assert os.waitpid(-1, os.WNOHANG) == (0, 0)
    finally:
        set_subreaper(0)


def set_subreaper(value: int) -> None:
    assert ctypes.CDLL(None).prctl(36, value, 0, 0, 0) == 0


def test_output_is_limited(tmp_path: Path) -> None:
    with hostile(tmp_path, "yes x", timeout=120.0) as result:
        assert (result.cut, result.clean, len(result.messages)) == (True, False, 1)


def test_memory_is_limited(tmp_path: Path) -> None:
    with hostile(tmp_path, f"{sys.executable} -S -c 'bytearray(4 << 30)'", timeout=120.0) as result:
        assert result.messages[-1].text == "MemoryError"


def test_a_program_that_is_its_own_interpreter_gets_no_host_program(
    tmp_path: Path,
) -> None:
    """CVE-2019-5736: the launcher of the container's program is not a file of the host, so it cannot be overwritten."""
    conf = tmp_path / "keepalived.conf"
    conf.write_text("{ readlink /proc/$PPID/exe; }\n")
    with target(conf=conf) as keepalived:
        seen = [m.text for m in config_test.run(keepalived).messages]
    assert seen == ["/memfd:kvtui-launcher (deleted)"]


def test_a_target_that_has_ended(conf_file: Path) -> None:
    with target(conf=conf_file) as keepalived:
        pass
    with pytest.raises(ConfigTestUnavailableError, match="has ended: try again"):
        config_test.run(keepalived)
