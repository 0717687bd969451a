"""When monthly kudos are due."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hordenode.domain.monthly import is_due


def ms(*date: int) -> int:
    return int(datetime(*date, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("paid", "due"),
    [
        ((2026, 1, 31), (2026, 2, 28)),
        ((2028, 1, 31), (2028, 2, 29)),
        ((2026, 2, 28), (2026, 3, 28)),
        ((2026, 12, 15, 13, 30), (2027, 1, 15, 13, 30)),
        ((2026, 3, 31), (2026, 4, 30)),
    ],
)
def test_a_month_is_a_calendar_month(paid: tuple[int, ...], due: tuple[int, ...]) -> None:
    assert not is_due(ms(*paid), ms(*due) - 1)
    assert is_due(ms(*paid), ms(*due))


def test_the_first_payment_is_due_at_once() -> None:
    assert is_due(None, 0)
