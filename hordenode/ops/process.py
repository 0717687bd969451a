"""What the operating system says of this process. Unknown values are left out."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from hordenode.ops import metric_names as names
from hordenode.ops.metrics import Sample

_STARTED = time.time()
_STATM, _FILES = Path("/proc/self/statm"), Path("/proc/self/fd")


def samples() -> Iterator[Sample]:
    """Memory, processor time, open files."""
    times = os.times()
    yield Sample(names.CPU_SECONDS, times.user + times.system)
    yield Sample(names.START_TIME, _STARTED)
    resident = resident_bytes()
    if resident is not None:
        yield Sample(names.RESIDENT, resident)
    if _FILES.is_dir():
        yield Sample(names.OPEN_FILES, sum(1 for _ in _FILES.iterdir()))


def resident_bytes() -> int | None:
    """Physical memory of this process; None where /proc does not say."""
    if not _STATM.exists():
        return None
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
