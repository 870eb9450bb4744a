"""The lab's kernel on a CPU whose registers are larger than it knows.

User-mode Linux, 6.1 and 6.12 alike, keeps 2,696 bytes of floating point and vector registers a thread
(``HOST_FP_SIZE``, up to AVX-512
and PKRU), and gives them back by ``PTRACE_SETREGSET`` with that length. The host takes nothing but its full size
(``xstateregs_set``, arch/x86/kernel/fpu/regset.c): with Intel's AMX (Sapphire Rapids and later) that is 11,008 bytes,
every such call fails, and the first process of the guest is killed: "put_fp_registers … Kernel panic".

The length is one number in the program. A copy with the host's number works: the kernel reads on behind its own buffer,
and the host ignores what lies there, because the buffer's header says that those registers are unused.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_GETREGSET, _SEIZE, _INTERRUPT = 0x4204, 0x4206, 0x4207  # linux/ptrace.h
_XSTATE = 0x202  # NT_X86_XSTATE, linux/elf.h
_MOST = 65536
KNOWN = 2696
"""Bytes that every user-mode Linux since 4.x has room for."""
_SETREGSET = re.compile(rb"(\x48\xc7\x45\xf8)(....)(\xbf\x05\x42\x00\x00)", re.DOTALL)
"""``movq $SIZE,-8(%rbp)``: the iovec's length; ``mov $PTRACE_SETREGSET,%edi``."""


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def host_size() -> int:
    """Bytes of registers that this machine's kernel gives for a process; 0 when it does not say."""
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    buffer = ctypes.create_string_buffer(_MOST)
    iovec = _Iovec(ctypes.addressof(buffer), _MOST)
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            if ptrace(_SEIZE, child.pid, None, None) or ptrace(_INTERRUPT, child.pid, None, None):
                return 0
            os.waitpid(child.pid, os.WUNTRACED)
            failed = ptrace(_GETREGSET, child.pid, ctypes.c_void_p(_XSTATE), ctypes.byref(iovec))
        finally:
            child.kill()
    return 0 if failed else int(iovec.length)


def fitting(program: Path, size: int, folder: Path) -> Path:
    """The program itself where it fits, else a copy of it in ``folder`` that does.

    Args:
        program: user-mode Linux.
        size: of the host's registers (bytes).
        folder: for the copy.

    Raises:
        ValueError: the number is not where it is looked for.
    """
    text = program.read_bytes()
    found = _SETREGSET.findall(text)
    if len(found) != 1:
        if size <= KNOWN:
            return program
        raise ValueError(f"{program} is no user-mode Linux that can be fitted to this CPU's {size} bytes of registers")
    if int.from_bytes(found[0][1], "little") >= size:
        return program
    copy = folder / "linux.uml"
    copy.write_bytes(_SETREGSET.sub(lambda m: m[1] + size.to_bytes(4, "little") + m[3], text))
    copy.chmod(0o755)
    return copy
