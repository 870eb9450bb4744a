"""Sets up a container as its manifest describes it, then runs a command. It starts in the pod's namespaces.

    container.py '{"capabilities": ["NET_ADMIN"], "uid": 0, "mounts": {"/var/lib/kvtui": "/run/lab/state"}, …}' COMMAND…

It does what a runtime (runc with containerd's defaults) does, as far as kvtui can notice: own mounts, a read-only root,
/proc/sys read-only, masked paths of /proc, dropped capabilities, no_new_privs, and the system calls that the default
seccomp profile refuses. Runs in the lab's guest only.
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
import subprocess
import sys

READ_ONLY = ("bus", "fs", "irq", "sys")  # of /proc: runc's readonlyPaths; the lab needs sysrq-trigger to power off
MASKED = ("kcore", "keys", "timer_list", "sched_debug")  # of /proc: runc's maskedPaths

# containerd's contrib/seccomp/seccomp_default.go allows these only with a capability; x86_64 numbers
GUARDED = {
    "SYS_ADMIN": (165, 166, 155, 272, 308, 321, 298, 304, 428, 429, 430, 431, 432, 442),
    # mount umount2 pivot_root unshare setns bpf perf_event_open open_by_handle_at, the new mount calls
    "SYS_CHROOT": (161,),  # chroot
    "SYS_MODULE": (175, 176, 313),
    "SYS_BOOT": (169,),
    "SYS_TIME": (164, 227),
}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2
ALLOW, REFUSE = 0x7FFF0000, 0x00050001  # SECCOMP_RET_ALLOW; SECCOMP_RET_ERRNO | EPERM


def mount(*words: str) -> None:
    """Runs mount(8)."""
    subprocess.run(["mount", *words], check=True)


def mount_file_system(spec: dict[str, object]) -> None:
    """Mounts the container's file system. The caller has already created the mount namespace."""
    mounts = dict(spec["mounts"])  # type: ignore[call-overload]
    for point, source in mounts.items():
        os.makedirs(point, exist_ok=True)  # noqa: PTH103 - started with -S -I: the fewer modules the better
        mount("--bind", source, point)
    mount("-t", "proc", "proc", "/proc")
    for name in READ_ONLY:
        mount("--bind", f"/proc/{name}", f"/proc/{name}")
        mount("-o", "remount,bind,ro", f"/proc/{name}")
    for name in MASKED:
        if os.path.exists(f"/proc/{name}"):  # noqa: PTH110
            mount("--bind", "/dev/null", f"/proc/{name}")
    if spec["read_only"]:
        mount("-o", "remount,bind,ro", "/")


def refuse_system_calls(capabilities: list[str]) -> None:
    """Loads a filter (seccomp(2)) of the calls that the default profile refuses without SYS_ADMIN and the like."""
    refused = [number for name, numbers in GUARDED.items() if name not in capabilities for number in numbers]
    program = [struct.pack("HBBI", 0x20, 0, 0, 0)]  # load seccomp_data.nr
    program += [struct.pack("HBBI", 0x15, len(refused) - place, 0, number) for place, number in enumerate(refused)]
    program += [struct.pack("HBBI", 0x06, 0, 0, ALLOW), struct.pack("HBBI", 0x06, 0, 0, REFUSE)]
    code = ctypes.create_string_buffer(b"".join(program))
    fprog = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, FILTER, ctypes.create_string_buffer(fprog), 0, 0):
        raise OSError(ctypes.get_errno(), "PR_SET_SECCOMP")


def main() -> None:
    """Replaces this process by the command in the container."""
    spec = json.loads(sys.argv[1])
    mount_file_system(spec)
    if os.uname().machine != "x86_64":
        raise SystemExit("container.py knows the system calls of x86_64 only")
    keep = spec["capabilities"]
    if spec["no_new_privileges"]:
        ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    bounding = ",".join(["-all", *(f"+{name.lower()}" for name in keep)])
    drop = ["setpriv", "--bounding-set", bounding, "--inh-caps", "-all", "--ambient-caps", "-all"]
    drop += ["--reuid", str(spec["uid"]), "--regid", str(spec["gid"]), "--clear-groups"]
    environment = [f"{name}={value}" for name, value in spec["environment"].items()]
    if spec["seccomp"]:
        refuse_system_calls(keep)
    os.execvp("setpriv", [*drop, "--", "env", "-i", *environment, *sys.argv[2:]])  # noqa: S606


if __name__ == "__main__":
    main()
