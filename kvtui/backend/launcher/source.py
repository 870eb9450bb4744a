"""The program that becomes another one: it enters namespaces, gives up rights, and starts it.

A Python of its own runs it: what it changes belongs to a process, and it must have no other thread. It reads a JSON
object from stdin and writes JSON lines to a descriptor. What it starts gets no right that the target does not have:

- Namespaces, root and working directory, cgroup, limits, umask, groups, uid and gid are those of the target. The user
  namespace comes last, when the ids are set: they are kvtui's view of them, which holds in every user namespace.
- Its capabilities are those that both kvtui and the target have; ``no_new_privs`` is kept. A step that fails ends it.
  Without CAP_SETPCAP the bounding set stays, and ``no_new_privs`` instead keeps it from gaining any of that; without
  CAP_SETGID it may have fewer groups.
- All that needs rights happens before the fork into the PID namespace: in there nobody sees a process with more rights
  than the program's. Nobody may trace it (``PR_SET_DUMPABLE``), and every descriptor but those named is closed.
- What the program starts stays below one process, in whatever session: that is the nearest living ancestor which the
  kernel gives orphans to (``PR_SET_CHILD_SUBREAPER``; it must be in the program's PID namespace). So kvtui finds all of
  it by parents, and ends it (``linux.signals``).
- Where memory runs short, the kernel ends it first, not the target (``oom_score_adj``).
"""

LAUNCHER = r"""
import ctypes, fcntl, json, os, resource, signal, sys

spec = json.load(sys.stdin)
libc = ctypes.CDLL(None, use_errno=True)
status = spec["status"]


def tell(**facts):
    os.write(status, json.dumps(facts).encode() + b"\n")


def call(name, *args, tolerated=()):
    if getattr(libc, name)(*args) == -1 and (number := ctypes.get_errno()) not in tolerated:
        raise OSError(number, os.strerror(number))


def prctl(option, value=0, third=0, tolerated=()):
    zero = ctypes.c_ulong(0)
    call("prctl", option, ctypes.c_ulong(value), ctypes.c_ulong(third), zero, zero, tolerated=tolerated)


class Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class Sets(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


def drop_bounding(kept):
    prctl(47, 4, tolerated=(22,))  # PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL
    for number in range(64):
        if not kept >> number & 1 and libc.prctl(23, number, 0, 0, 0) == 1:  # PR_CAPBSET_READ
            prctl(24, number)  # PR_CAPBSET_DROP


def keep(permitted, inheritable, ambient=0):
    header, sets = Header(0x20080522, 0), (Sets * 2)()  # _LINUX_CAPABILITY_VERSION_3
    call("capget", ctypes.byref(header), sets)
    for index in range(2):
        mine = sets[index].permitted & permitted >> 32 * index & 0xFFFFFFFF
        sets[index].permitted = sets[index].effective = mine
        sets[index].inheritable = (mine | sets[index].inheritable) & inheritable >> 32 * index & 0xFFFFFFFF
    call("capset", ctypes.byref(header), sets)
    for number in range(64):
        if ambient >> number & 1:
            prctl(47, 2, number, tolerated=(1, 22))  # PR_CAP_AMBIENT_RAISE


stage = "prepare"
try:
    prctl(4, 0)  # PR_SET_DUMPABLE
    prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    null = os.open("/dev/null", os.O_RDWR)
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass
    missed = []
    for fd, file in spec["cgroups"]:
        try:
            os.write(fd, b"0")
        except OSError:
            missed.append(file)
    if missed:
        tell(missed=missed)
    stage = "enter the namespaces"
    for fd, kind in spec["namespaces"]:
        call("setns", fd, kind)
    if spec["root"] is not None:
        os.fchdir(spec["root"])
        os.chroot(".")
    if spec["cwd"] is not None:
        os.fchdir(spec["cwd"])
    stage = "set limits and umask"
    for number, soft, hard in spec["limits"]:
        own = resource.getrlimit(number)[1]
        top = own if hard == -1 else hard if own == -1 else min(own, hard)
        resource.setrlimit(number, (top if soft == -1 or (top != -1 and soft > top) else soft, top))
    os.umask(spec["umask"])
    stage = "give up rights"
    if set(os.getgroups()) != set(spec["groups"]):
        try:
            os.setgroups(spec["groups"])
        except PermissionError:
            if not set(os.getgroups()) <= set(spec["groups"]):
                raise
    if os.getresgid() != (spec["gid"],) * 3:
        os.setresgid(spec["gid"], spec["gid"], spec["gid"])
    prctl(8, 1)  # PR_SET_KEEPCAPS
    if os.getresuid() != (spec["uid"],) * 3:
        os.setresuid(spec["uid"], spec["uid"], spec["uid"])
        keep(-1, -1)
    if spec["user_namespace"] is not None:
        call("setns", spec["user_namespace"], 0x10000000)
    try:
        drop_bounding(spec["bounding"])
    except PermissionError:
        if not spec["may_gain_nothing"]:
            raise
        spec["no_new_privs"] = True
    keep(spec["permitted"], spec["inheritable"], spec["ambient"])
    if spec["no_new_privs"]:
        prctl(38, 1)  # PR_SET_NO_NEW_PRIVS
    prctl(4, 0)  # a change of uid resets it
    os.dup2(null, 0)
    wanted = [status, *spec["files"]]
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3 + len(wanted)) for fd in wanted]
    for index, fd in enumerate(high):  # 3 is the status; 4 the program, which ends with exec; what follows stays open
        os.dup2(fd, 3 + index, index > 1)
    status = 3
    os.closerange(3 + len(high), 1 << 16)
    stage = "start a process in the PID namespace"
    keeper = os.fork()
    if keeper == 0:
        prctl(1, signal.SIGKILL)
        prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
            signal.signal(number, signal.SIG_IGN)
        child = os.fork()
        if child == 0:
            try:
                os.setpgid(0, 0)
                prctl(1, signal.SIGKILL)
                # Python ignores SIGPIPE; a script's background, nohup or a service what they like
                for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                    signal.signal(number, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_SETMASK, ())
                os.execve(4 if len(high) > 1 else spec["argv"][0], spec["argv"], spec["env"])
            except OSError as error:
                tell(error=error.errno, stage="execute")
            finally:
                os._exit(127)
        try:
            while True:  # until it has no child any more, or is killed
                pid, ended = os.wait()
                if pid == child:
                    tell(exit=os.waitstatus_to_exitcode(ended))
        finally:
            os._exit(0)
    tell(keeper=keeper)
    # nobody else may have to: what is not waited for keeps the target's PID namespace from ending
    tell(ended=os.waitstatus_to_exitcode(os.waitpid(keeper, 0)[1]))
    os._exit(0)  # else Python takes itself apart, and copies the pages that it shares: a quarter of the page faults
except (OSError, ValueError) as error:
    tell(error=getattr(error, "errno", None) or 22, stage=stage)
    sys.exit(1)
"""
