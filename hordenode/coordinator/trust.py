"""Trust that users earn by themselves: by what their workers made, held back so far (contract 10.6)."""

from __future__ import annotations

from msgspec.structs import replace

from hordenode.coordinator.context import Coordinator
from hordenode.coordinator.grants import make_trusted
from hordenode.domain.conduct import SUSPICIOUS
from hordenode.store import suspicions, users
from hordenode.store.tx import Tx

YOUNGEST_MS = 7 * 86_400_000


async def trust_proven(co: Coordinator) -> int:
    """Trust whose held-back kudos passed `horde.trust_after`; returns how many."""
    threshold = co.rules.trust_after
    if threshold <= 0:
        return 0

    def trust(tx: Tx) -> int:
        now = co.clock.now_ms()
        proven = users.proven(tx, threshold * 1000, created_before_ms=now - YOUNGEST_MS)
        proven = [user for user in proven if suspicions.of_user(tx, user.id) < SUSPICIOUS]
        for user in proven:
            users.save(tx, replace(user, trusted=True))
            make_trusted(tx, user, now)
        return len(proven)

    return await co.db.write(trust)
