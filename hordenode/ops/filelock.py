"""A lock on a file that the operating system drops when its holder dies, however it dies."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PAUSE_S = 0.02


def try_lock(file: IO[bytes]) -> bool:
    """Lock the file for this process without waiting; closing it unlocks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def held(path: Path, wait_s: float) -> Iterator[bool]:
    """Hold a lock file, waiting for others as long as `wait_s`; yields whether it is held."""
    until = time.monotonic() + wait_s
    with path.open("ab") as file:
        while not (locked := try_lock(file)) and time.monotonic() < until:
            time.sleep(PAUSE_S)
        yield locked
