"""The machine's memory: how much of it is free for models, and giving back what they no longer use."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

from hordenode.engine.files import MB

GROUP = Path("/sys/fs/cgroup")


def available_mb(meminfo: Path = Path("/proc/meminfo"), group: Path = GROUP) -> int | None:
    """What can still be taken before the system kills or swaps, in MB; None where that is not known (not Linux)."""
    free = _free_of_machine(meminfo)
    limit, used = _number(group / "memory.max"), _number(group / "memory.current")
    if free is None or limit is None or used is None:
        return free
    return min(free, max(limit - used, 0) // MB)


def give_back() -> None:
    """Return freed memory to the system: glibc keeps the pages of what was freed in small pieces."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # not in musl
        if trim is not None:
            trim(0)


def _free_of_machine(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) // 1024 if found else None


def _number(file: Path) -> int | None:
    """A limit of a control group; None without one, or when it is `max`."""
    try:
        text = file.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
