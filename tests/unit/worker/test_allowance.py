"""When an engine may serve another horde."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from hordenode.worker.allowance import Allowance, Hours, Tally


def at(hour: int, minute: int = 0) -> dt.datetime:
    return dt.datetime(2026, 3, 1, hour, minute, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("hours", "now", "wait_h"),
    [
        ("22:00-06:00", at(23), 0),
        ("22:00-06:00", at(5, 59), 0),
        ("22:00-06:00", at(6), 16),
        ("22:00-06:00", at(21, 30), 0.5),
        ("09:00-17:00", at(9), 0),
        ("09:00-17:00", at(17), 16),
        ("0:00-24:00", at(23, 59), 0),
        ("08:00-08:00", at(3), 0),
    ],
)
def test_hours_begin_when_they_say_also_over_midnight(hours: str, now: dt.datetime, wait_h: float) -> None:
    assert Hours.parse(hours).wait_s(now) == wait_h * 3600


@pytest.mark.parametrize("text", ["", "22-6", "25:00-06:00", "22:00", "22:60-23:00", "always"])
def test_what_are_no_hours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="22:00-06:00"):
        Hours.parse(text)


def test_after_the_last_job_of_the_day_it_waits_for_midnight() -> None:
    capped = Allowance(daily_jobs=3)
    assert [capped.wait_s(at(20), done) for done in (0, 2, 3, 4)] == [0, 0, 4 * 3600, 4 * 3600]
    assert Allowance().wait_s(at(20), 10**6) == 0


def test_the_count_outlives_the_process_and_ends_with_the_day(tmp_path: Path) -> None:
    day = [dt.date(2026, 3, 1)]
    path = tmp_path / "jobs.json"
    Tally(path, lambda: day[0]).add("a worker", 2)
    again = Tally(path, lambda: day[0])
    again.add("a worker", 1)
    assert (again.done("a worker"), again.done("another")) == (3, 0)
    day[0] += dt.timedelta(days=1)
    assert again.done("a worker") == 0
    again.add("a worker", 1)
    assert Tally(path, lambda: day[0]).done("a worker") == 1


def test_a_damaged_count_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "jobs.json"
    path.write_text('{"day": "2026-03-01"')
    assert Tally(path, lambda: dt.date(2026, 3, 1)).done("a worker") == 0
