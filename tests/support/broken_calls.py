"""System calls that fail in this process from a moment on, for everything it does: a seccomp filter. Linux; needs no root.

A filter cannot be taken back: use it in a process of its own, `python -m tests.support.broken_calls`, which is a node that
breaks when a line arrives on its standard input: the name of a FAULT.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys
import threading

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # linux/audit.h
SECCOMP = {"x86_64": 317, "aarch64": 277}
FSYNC = {"x86_64": (74, 75), "aarch64": (82, 83)}  # fsync, fdatasync
OPENAT = {"x86_64": (257, 2), "aarch64": (56,)}  # openat with its flags third, open second
MAKING = {"x86_64": (83, 258, 82, 264, 316), "aarch64": (34, 38, 276)}  # mkdir, mkdirat, rename, renameat, renameat2
WRITING = 0o1 | 0o2 | 0o100  # O_WRONLY, O_RDWR, O_CREAT

# Classic BPF on struct seccomp_data: number at 0, architecture at 4, arguments of 8 bytes from 16.
LOAD, JUMP_EQUAL, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000

Instruction = tuple[int, int, int, int]


def failing_fsync() -> list[Instruction]:
    """Nothing can be made durable any more."""
    return _each(FSYNC[platform.machine()], errno.EIO)


def read_only() -> list[Instruction]:
    """No file can be opened for writing and no folder made or renamed: a file system that was remounted read-only."""
    program: list[Instruction] = []
    for position, number in zip((32, 24), OPENAT[platform.machine()], strict=False):
        program += [
            (JUMP_EQUAL, 0, 4, number),
            (LOAD, 0, 0, position),
            (JUMP_ANY_BIT, 0, 1, WRITING),
            (RETURN, 0, 0, FAIL | errno.EROFS),
            (RETURN, 0, 0, ALLOW),
        ]
    return program + _each(MAKING[platform.machine()], errno.EROFS)


FAULTS = {"fsync": failing_fsync, "read-only": read_only}


def _each(numbers: tuple[int, ...], error: int) -> list[Instruction]:
    return [step for number in numbers for step in ((JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, FAIL | error))]


def install(rules: list[Instruction]) -> None:
    """From now on in all threads. OSError where the kernel refuses."""
    program = [
        (LOAD, 0, 0, 4),
        (JUMP_EQUAL, 1, 0, ARCHITECTURES[platform.machine()]),
        (RETURN, 0, 0, ALLOW),
        (LOAD, 0, 0, 0),
        *rules,
        (RETURN, 0, 0, ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    header = struct.pack("@HxxxxxxQ", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    set_mode_filter, all_threads, no_new_privileges = 1, 1, 38
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.syscall(
        SECCOMP[platform.machine()], set_mode_filter, all_threads, header
    ):
        raise OSError(ctypes.get_errno(), "the seccomp filter was refused")


def _break_when_told() -> None:
    for line in sys.stdin:
        install(FAULTS[line.strip()]())
        print(f"broken: {line.strip()}", flush=True)


if __name__ == "__main__":
    from hordenode.cli import main

    if sys.argv[1] in FAULTS:
        install(FAULTS[sys.argv.pop(1)]())
    else:
        threading.Thread(target=_break_when_told, daemon=True).start()
    main()
