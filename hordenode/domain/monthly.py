"""Monthly kudos (contract 10.9). Amounts in thousandths, times in UTC milliseconds."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime

from hordenode.domain.entities import User

MODERATOR_KUDOS = 300_000_000


def monthly_amount(user: User, own: int) -> int:
    """What the user gets each month: `own` is what was set for it."""
    return own + (MODERATOR_KUDOS if user.moderator else 0)


def is_due(paid_ms: int | None, now_ms: int) -> bool:
    """Whether a calendar month has passed since the last payment; the first one is due at once."""
    return paid_ms is None or now_ms >= _month_after(paid_ms)


def _month_after(at_ms: int) -> int:
    """The same day and time of the next month, or its last day."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    year, month = (at.year + 1, 1) if at.month == 12 else (at.year, at.month + 1)
    later = at.replace(year=year, month=month, day=min(at.day, monthrange(year, month)[1]))
    return int(later.timestamp() * 1000)
