"""The program that becomes a script: it enters namespaces, gives up rights, and starts the script.

A Python of its own runs it: what it changes belongs to a process, and it must have no other thread. It reads a JSON
object from stdin and writes JSON lines to a descriptor. The script gets no right that keepalived's own would not have:

- Namespaces, root and working directory, cgroup, limits, umask, groups, uid and gid are those of keepalived's child.
- Its capabilities are those that both kvtui and keepalived's child have; ``no_new_privs`` is kept.
- All that needs rights happens before the fork into the PID namespace: in there nobody sees a process with more rights
  than the script's. Nobody may trace it (``PR_SET_DUMPABLE``), and every descriptor but stdio is closed.
"""

LAUNCHER = r"""
import ctypes, json, os, resource, signal, sys

spec = json.load(sys.stdin)
libc = ctypes.CDLL(None, use_errno=True)
status = spec["status"]


def tell(**facts):
    os.write(status, json.dumps(facts).encode() + b"\n")


def call(name, *args, tolerated=()):
    if getattr(libc, name)(*args) == -1 and (number := ctypes.get_errno()) not in tolerated:
        raise OSError(number, os.strerror(number))


def prctl(option, value=0, tolerated=()):
    zero = ctypes.c_ulong(0)
    call("prctl", option, ctypes.c_ulong(value), zero, zero, zero, tolerated=tolerated)


class Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class Sets(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


def drop_bounding(kept):
    prctl(47, 4, tolerated=(22,))  # PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL
    for number in range(64):
        if not kept >> number & 1 and libc.prctl(23, number, 0, 0, 0) == 1:  # PR_CAPBSET_READ
            prctl(24, number)  # PR_CAPBSET_DROP


def drop_others(permitted, inheritable):
    header, sets = Header(0x20080522, 0), (Sets * 2)()  # _LINUX_CAPABILITY_VERSION_3
    call("capget", ctypes.byref(header), sets)
    for index in range(2):
        mine = sets[index].permitted & permitted >> 32 * index & 0xFFFFFFFF
        sets[index].permitted = sets[index].effective = mine
        sets[index].inheritable = mine & inheritable >> 32 * index & 0xFFFFFFFF
    call("capset", ctypes.byref(header), sets)


stage = "prepare"
try:
    prctl(4, 0)  # PR_SET_DUMPABLE
    prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    null = os.open("/dev/null", os.O_RDWR)
    stage = "join the cgroup"
    if spec["cgroup"] is not None:
        os.write(spec["cgroup"], b"0")
    stage = "enter the namespaces"
    for fd, kind in spec["namespaces"]:
        call("setns", fd, kind)
    if spec["root"] is not None:
        os.fchdir(spec["root"])
        os.chroot(".")
    os.fchdir(spec["cwd"])
    stage = "set limits and umask"
    for number, soft, hard in spec["limits"]:
        own = resource.getrlimit(number)[1]
        top = own if hard == -1 else hard if own == -1 else min(own, hard)
        resource.setrlimit(number, (top if soft == -1 or (top != -1 and soft > top) else soft, top))
    os.umask(spec["umask"])
    stage = "give up rights"
    drop_bounding(spec["bounding"])
    if os.getuid() == 0:
        os.setgroups(spec["groups"])
        os.setresgid(spec["gid"], spec["gid"], spec["gid"])
        if spec["uid"] == 0:
            drop_others(spec["permitted"], spec["inheritable"])
        else:
            os.setresuid(spec["uid"], spec["uid"], spec["uid"])
    if spec["no_new_privs"]:
        prctl(38, 1)  # PR_SET_NO_NEW_PRIVS
    prctl(4, 0)  # a change of uid resets it
    os.dup2(null, 0)
    if status != 3:
        os.dup2(status, 3)
        status = 3
    os.set_inheritable(3, False)
    os.closerange(4, 1 << 16)
    stage = "start a process in the PID namespace"
    child = os.fork()
    if child == 0:
        try:
            os.setpgid(0, 0)
            prctl(1, signal.SIGKILL)
            # Python ignores SIGPIPE; a script's background, nohup or a service what they like
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.execve(spec["argv"][0], spec["argv"], spec["env"])
        except OSError as error:
            tell(error=error.errno, stage="execute")
        finally:
            os._exit(127)
    tell(pid=child)
    tell(exit=os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
except (OSError, ValueError) as error:
    tell(error=getattr(error, "errno", None) or 22, stage=stage)
    sys.exit(1)
"""
