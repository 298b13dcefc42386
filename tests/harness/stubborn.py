"""Lets the kernel refuse some operations on files, as disks do that don't have them: `chmod=EPERM,link=ENOSYS`.

What follows `=` is what the operation answers; `OK`: it says that it is done, and does nothing (NTFS, SMB). The
filter (seccomp) holds for all children, too. Linux only; exit code 77: not on this machine.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

IMPOSSIBLE = 77
# Numbers: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h; fchmodat2 has one everywhere.
CALLS = {
    "x86_64": {
        "chmod": (90, 91, 268, 452),
        "link": (86, 265),
        "symlink": (88, 266),
        "utime": (132, 235, 261, 280),
        "flock": (73,),
        "fsync": (74, 75),
    },
    "aarch64": {
        "chmod": (52, 53, 452),
        "link": (37,),
        "symlink": (36,),
        "utime": (88,),
        "flock": (32,),
        "fsync": (82, 83),
    },
}
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_…, include/uapi/linux/audit.h
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF, include/uapi/linux/bpf_common.h
ALLOW, ERRNO = 0x7FFF0000, 0x00050000  # SECCOMP_RET_…, include/uapi/linux/seccomp.h
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2  # prctl(2)


class Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def instructions(refused: dict[str, int]) -> bytes:
    """The filter: each refused call answers its error, everything else goes through."""
    machine = platform.machine()
    made = [(LOAD, 0, 0, 4), (JUMP_IF_EQUAL, 1, 0, ARCHITECTURES[machine]), (RETURN, 0, 0, ALLOW), (LOAD, 0, 0, 0)]
    for name, number in refused.items():
        for call in CALLS[machine][name]:
            made += [(JUMP_IF_EQUAL, 0, 1, call), (RETURN, 0, 0, ERRNO | number)]
    made.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("HBBI", *each) for each in made)


def refuse(calls: str) -> None:
    """Let the kernel refuse these to this process and its children, for ever."""
    if platform.machine() not in CALLS or sys.platform != "linux":
        print(f"no filter for {sys.platform} on {platform.machine()}", file=sys.stderr)
        sys.exit(IMPOSSIBLE)
    wanted = dict(entry.split("=") for entry in calls.split(","))
    code = instructions({name: 0 if answer == "OK" else getattr(errno, answer) for name, answer in wanted.items()})
    held = ctypes.create_string_buffer(code, len(code))
    library = ctypes.CDLL(None, use_errno=True)
    program = Program(len(code) // 8, ctypes.addressof(held))
    if library.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) or library.prctl(SECCOMP, FILTER, ctypes.byref(program), 0, 0):
        print(f"no filter: {os.strerror(ctypes.get_errno())}", file=sys.stderr)
        sys.exit(IMPOSSIBLE)
