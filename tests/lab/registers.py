"""Patches the lab's kernel for CPUs with more register bytes than it supports.

User-mode Linux 6.1 and 6.12 store 2,696 bytes of floating point and vector registers per thread (``HOST_FP_SIZE``, up
to AVX-512 and PKRU), and restore them by ``PTRACE_SETREGSET`` with that length. The host accepts only its own full size
(``xstateregs_set``, arch/x86/kernel/fpu/regset.c). With Intel's AMX (Sapphire Rapids and later) that is 11,008 bytes:
every such call fails, and the guest's first process is killed: "put_fp_registers … Kernel panic".

The length is one number in the program. A copy with the host's number works: the host also reads bytes behind the
kernel's buffer, and ignores them, because the buffer's header marks those registers as unused.
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
_MAX_BYTES = 65536
KNOWN = 2696
"""Bytes that every user-mode Linux since 4.x can store."""
_SETREGSET = re.compile(rb"(\x48\xc7\x45\xf8)(....)(\xbf\x05\x42\x00\x00)", re.DOTALL)
"""The instructions ``movq $SIZE,-8(%rbp)`` (the iovec's length) and ``mov $PTRACE_SETREGSET,%edi``."""


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def host_size() -> int:
    """Returns the size in bytes of a process' registers on this machine; 0 if it is unknown."""
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    buffer = ctypes.create_string_buffer(_MAX_BYTES)
    iovec = _Iovec(ctypes.addressof(buffer), _MAX_BYTES)
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
    """Returns the program if its size is large enough, else a patched copy in ``folder``.

    Args:
        program: The program of user-mode Linux.
        size: The size of the host's registers in bytes.
        folder: The folder for the copy.

    Raises:
        ValueError: The program has no such instructions, or several.
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
