"""Queue order (contract 3.4, 6; ARCHITECTURE 3.4).

+50 per 10 s of waiting is the same for everybody, so ordering by it equals ordering by a key fixed at activation:
priority + 50 · (now − activated) / 10 s, times 200 and without the common 200 · now / 200 term.
"""

from __future__ import annotations

from hordenode.domain.entities import User
from hordenode.domain.kudos import floor_of

FLAGGED_PRIORITY = -100
DOWNGRADED_PRIORITY = -50
WITHOUT_KUDOS, WITHOUT_KUDOS_FLAGGED = (0, 1), (FLAGGED_PRIORITY, 0)  # priority and band where kudos are off
_BANDS = (0, 10_000_000, 100_000_000, 1_000_000_000)


def extra_priority(user: User, balance: int) -> int:
    """Priority given at activation (contract 3.4). `balance` in thousandths of a kudos.

    A new account counts as what its first movement lifts it to, or its first request would come after its second.
    """
    if user.flagged:
        return round(balance / 1_000_000) if balance > 10_000 else FLAGGED_PRIORITY
    return (balance if user.anonymous else max(balance, floor_of(user))) // 1000


def order_key(priority: int, activated_ms: int) -> int:
    """Higher is served first; a fixed key that orders like ageing does."""
    return 200 * priority - activated_ms


def kudos_band(user: User, balance: int) -> int:
    """Which requests go first under `queue.order = fair`: 0 is last.

    Bands are wide, so that share and not wealth decides between ordinary users; anonymous and flagged ones come last.
    """
    if user.anonymous or user.flagged:
        return 0
    return 1 + sum(balance >= bound for bound in _BANDS[1:])
