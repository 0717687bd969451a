"""Workers earn by being there, too: a reward for each ten minutes (contract 10.7)."""

from __future__ import annotations

from hordenode.coordinator import prices
from hordenode.coordinator.context import Coordinator
from hordenode.coordinator.presence import Present
from hordenode.domain import ledger as postings
from hordenode.domain.entities import Kind
from hordenode.domain.kudos import UPTIME_S
from hordenode.ops.events import KudosMoved
from hordenode.store import ledger, teams, users, workers
from hordenode.store.ledger import Earned
from hordenode.store.tx import Tx


def save(tx: Tx, co: Coordinator, present: Present, seconds: int) -> None:
    """Store what is known of a worker; `seconds` is how long it has been there since the last time."""
    worker = present.worker
    unpaid = workers.save_presence(tx, worker.id, present.seen_ms, seconds, present.speed, returned=present.returned)
    if unpaid > UPTIME_S:
        _pay(tx, co, present)


def _pay(tx: Tx, co: Coordinator, present: Present) -> None:
    """Who is not trusted yet gets the reward of an image or text worker with its trust (contract 10.6)."""
    worker, now = present.worker, co.clock.now_ms()
    owner = users.find(tx, worker.user_id)
    if owner is None:
        return
    amount = prices.uptime(co, present.pop)
    workers.pay_uptime(tx, worker.id, amount.kudos)
    if worker.team_id is not None:
        teams.add_uptime(tx, worker.team_id, UPTIME_S)
    note = f"{worker.name}, {amount.note}"
    if owner.trusted or worker.kind is Kind.ALCHEMY:
        ledger.post(tx, postings.grant(owner, ledger.balance(tx, owner.id), amount.kudos, "uptime", note), now)
        ledger.add_earned(tx, Earned(owner.id, amount.kudos))
        tx.emit(KudosMoved(account=owner.id, amount=amount.kudos))
    else:
        ledger.post(tx, postings.hold_back(owner, amount.kudos, "uptime", note), now)
        ledger.add_earned(tx, Earned(owner.id, 0, amount.kudos))
