"""Paying monthly kudos (contract 10.9)."""

from __future__ import annotations

from msgspec.structs import replace

from hordenode.coordinator.context import Coordinator
from hordenode.coordinator.grants import give
from hordenode.domain.monthly import is_due, monthly_amount
from hordenode.store import users
from hordenode.store.tx import Tx


async def pay_monthly(co: Coordinator) -> int:
    """Pay whoever is due; returns how many. A node that was off for months pays one of them."""
    if not co.rules.kudos:
        return 0

    def pay(tx: Tx) -> int:
        now, paid = co.clock.now_ms(), 0
        for user in users.with_monthly(tx):
            known = users.private(tx, user.id)
            if not is_due(known.monthly_paid_ms, now):
                continue
            give(tx, user, monthly_amount(user, known.monthly_kudos), "recurring", now)
            users.save_private(tx, replace(known, monthly_paid_ms=now))
            paid += 1
        return paid

    return await co.db.write(pay)
