"""One node per data directory: a lock that the operating system drops when its holder dies, however it dies.

The file beside it says who holds the lock, so that the command line finds the running node.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from hordenode.ops.filelock import try_lock

LOCK_FILE = "node.lock"
INFO_FILE = "node.json"
ATTEMPTS, PAUSE_S = 10, 0.02


class DataDirInUse(Exception):
    """Another node runs on this data directory; the text names it."""


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """Who holds a data directory. url is empty while nothing listens, host what it listens on; started: ISO 8601 in UTC."""

    url: str
    pid: int
    started: str
    host: str = ""

    @classmethod
    def here(cls, url: str) -> NodeInfo:
        return cls(url, os.getpid(), datetime.now(UTC).isoformat(timespec="seconds"))


class DataDirLock:
    """Held from `acquire` to `release`, or to the end of the process."""

    def __init__(self, data_dir: Path) -> None:
        self._dir = data_dir
        self._file: IO[bytes] | None = None
        self._info: NodeInfo | None = None

    def acquire(self, info: NodeInfo) -> None:
        """Take the lock. Raises DataDirInUse, after a moment: whoever looks for a node holds the lock that long."""
        file = (self._dir / LOCK_FILE).open("ab")
        if not _lock_soon(file):
            file.close()
            holder = _read_info(self._dir)
            who = f"process {holder.pid}{', ' + holder.url if holder.url else ''}" if holder else "another process"
            raise DataDirInUse(
                f"A node already runs on {self._dir} ({who}). Stop it, or choose another directory with --data-dir."
            )
        self._file, self._info = file, info
        _write_info(self._dir, info)

    def update(self, url: str, host: str = "") -> None:
        """Say where the node listens."""
        if self._info is not None:
            self._info = NodeInfo(url, self._info.pid, self._info.started, host)
            _write_info(self._dir, self._info)

    def release(self) -> None:
        """Give the lock back; without effect when it is not held."""
        if self._file is None:
            return
        (self._dir / INFO_FILE).unlink(missing_ok=True)
        self._file.close()
        self._file = self._info = None


def read_running(data_dir: Path) -> NodeInfo | None:
    """The node that runs on this directory; None when there is none, whatever files it left behind."""
    info = _read_info(data_dir)
    if info is None or not (data_dir / LOCK_FILE).exists():
        return None
    with (data_dir / LOCK_FILE).open("rb") as file:
        return None if try_lock(file) else info


def _read_info(data_dir: Path) -> NodeInfo | None:
    try:
        members = json.loads((data_dir / INFO_FILE).read_text(encoding="utf-8"))
        return NodeInfo(str(members["url"]), int(members["pid"]), str(members["started"]), str(members.get("host", "")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_info(data_dir: Path, info: NodeInfo) -> None:
    temporary = data_dir / (INFO_FILE + ".new")
    temporary.write_text(json.dumps(asdict(info)), encoding="utf-8")
    temporary.replace(data_dir / INFO_FILE)


def _lock_soon(file: IO[bytes]) -> bool:
    for _ in range(ATTEMPTS - 1):
        if try_lock(file):
            return True
        time.sleep(PAUSE_S)
    return try_lock(file)
