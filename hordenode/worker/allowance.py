"""When the engine may serve another horde: in the owner's hours, within the daily cap, and after local work."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DAY = dt.timedelta(days=1)
_HOURS = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*-\s*([01]?\d|2[0-4]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of every day, from one local time to another, over midnight if the second is the earlier one."""

    begin: int  # minutes after midnight
    end: int

    @staticmethod
    def parse(text: str) -> Hours:
        """`22:00-06:00`; ValueError for anything else."""
        match = _HOURS.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"hours are written as in 22:00-06:00, not {text!r}")
        begin, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
        return Hours(begin, end)

    def wait_s(self, now: dt.datetime) -> float:
        """Seconds until these hours begin; 0 within them. now: local time."""
        minute = now.hour * 60 + now.minute
        inside = self.begin <= minute < self.end if self.begin < self.end else minute >= self.begin or minute < self.end
        if inside:
            return 0.0
        start = now.replace(hour=self.begin // 60, minute=self.begin % 60, second=0, microsecond=0)
        return ((start if start > now else start + DAY) - now).total_seconds()


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the owner allows. hours: None is the whole day; daily_jobs: 0 is no limit."""

    hours: Hours | None = None
    daily_jobs: int = 0

    def wait_s(self, now: dt.datetime, done_today: int) -> float:
        """Seconds until another job may be taken; 0 if now. now: local time."""
        if self.daily_jobs and done_today >= self.daily_jobs:
            return ((now + DAY).replace(hour=0, minute=0, second=0, microsecond=0) - now).total_seconds()
        return self.hours.wait_s(now) if self.hours else 0.0


class Tally:
    """Jobs taken today for each horde, in a file that outlives the process. `today`: the local date."""

    def __init__(self, path: Path, today: Callable[[], dt.date] = dt.date.today) -> None:
        self._path = path
        self._today = today
        self._day, self._jobs = self._read()

    def done(self, name: str) -> int:
        """Jobs of the worker `name` since local midnight."""
        return self._jobs.get(name, 0) if self._day == self._today().isoformat() else 0

    def add(self, name: str, jobs: int) -> None:
        """Count and write, whole or not at all."""
        today = self._today().isoformat()
        if self._day != today:
            self._day, self._jobs = today, {}
        self._jobs[name] = self._jobs.get(name, 0) + jobs
        temporary = self._path.with_name(self._path.name + ".new")
        temporary.write_text(json.dumps({"day": self._day, "jobs": self._jobs}), encoding="utf-8")
        temporary.replace(self._path)

    def _read(self) -> tuple[str, dict[str, int]]:
        """What was written; nothing when it was not or cannot be read."""
        try:
            found: Any = json.loads(self._path.read_text(encoding="utf-8"))
            return str(found["day"]), {str(name): int(jobs) for name, jobs in found["jobs"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return "", {}
