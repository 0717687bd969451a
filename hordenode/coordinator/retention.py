"""What a horde forgets, so that its database grows with its users and not with time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import groupby

from hordenode.coordinator.context import Coordinator
from hordenode.coordinator.line import LaneGone
from hordenode.domain import ledger
from hordenode.store import retention
from hordenode.store.retention import Line
from hordenode.store.tx import Tx

DAY_MS = 24 * 3_600_000
FEW = 5  # lanes or signatures at once: deleting one looks through the requests for what refers to it
LINES = 500
TOO_LONG_S = 0.02  # then the rest waits for the next sweep


async def sweep(co: Coordinator) -> tuple[int, int, int]:
    """Forget idle lanes, unused signatures and the details of old movements; returns how many of each."""
    lanes = await _chunks(co, lambda tx, after: _lanes(tx, co, after))
    signatures = await _chunks(co, lambda tx, after: _signatures(tx, co, after))
    lines = 0
    if co.rules.ledger_days:
        before = co.clock.now_ms() - co.rules.ledger_days * DAY_MS
        lines = await _chunks(co, lambda tx, after: _carry(tx, after, before))
    return lanes, signatures, lines


Step = Callable[[Tx, int], tuple[int, int | None]]


async def _chunks(co: Coordinator, step: Step) -> int:
    """Repeat step(tx, after) -> (how many, where to go on) until it is through, or begins to hold others up."""
    total, after = 0, 0
    while True:
        here, began = after, time.perf_counter()
        done, following = await co.db.write(lambda tx, here=here: step(tx, here))  # type: ignore[misc]
        total += done
        if following is None or time.perf_counter() - began > TOO_LONG_S:
            return total
        after = following


def _lanes(tx: Tx, co: Coordinator, after: int) -> tuple[int, int | None]:
    turn = (co.clock.now_ms() - co.rules.idle_days * DAY_MS) * 1000
    idle = retention.idle_lanes(tx, after, turn, FEW)
    gone = [(lane_id, kind) for lane_id, kind in idle if retention.delete_lane(tx, lane_id)]
    for lane_id, kind in gone:
        tx.emit(LaneGone(kind, lane_id))
    return len(gone), idle[-1][0] if len(idle) == FEW else None


def _signatures(tx: Tx, co: Coordinator, after: int) -> tuple[int, int | None]:
    """Forgotten in memory first: a request in the same batch must not be given an id that goes."""
    unused = retention.unused_signatures(tx, after, FEW)
    co.verdicts.forget(unused)
    gone = sum(retention.delete_signature(tx, signature) for signature in unused)
    return gone, unused[-1] if len(unused) == FEW else None


def _carry(tx: Tx, after: int, before_ms: int) -> tuple[int, int | None]:
    """Movements of the same sort between the same accounts become one line."""
    found = retention.lines(tx, after, LINES)
    old = [line for line in found if line.at_ms < before_ms]
    gone = 0
    for _, group in groupby(sorted(old, key=_accounts), _accounts):
        kept, *others = sorted(group, key=lambda line: line.id)
        if others:
            _merge(tx, kept, others)
            gone += len(others)
    return gone, found[-1].id if len(old) == LINES else None


def _accounts(line: Line) -> tuple[int, int, int]:
    return line.source, line.target, -1 if line.user_id is None else line.user_id


def _merge(tx: Tx, kept: Line, others: Iterable[Line]) -> None:
    lines = [kept, *others]
    retention.carry(
        tx,
        kept,
        others,
        amount=sum(line.amount for line in lines),
        at_ms=max(line.at_ms for line in lines),
        reason=ledger.CARRIED,
        note=f"{len(lines)} movements in one line",
    )
