"""What happens by itself: expiry, stale jobs, presence, and putting things right at start (contract 8, 20)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from hordenode.coordinator import files, house, uptime
from hordenode.coordinator.context import Coordinator
from hordenode.coordinator.line import LaneServed
from hordenode.coordinator.links import SOURCES
from hordenode.coordinator.live import LiveJob
from hordenode.coordinator.pops import give_back_jobs
from hordenode.coordinator.presence import Present
from hordenode.coordinator.removal import File, remove_files, remove_request
from hordenode.coordinator.statistics import count_deliveries
from hordenode.coordinator.submits import fault_job
from hordenode.domain.entities import Kind, WaitingPrompt
from hordenode.store import alchemy, jobs, keys, messages, queue, requests, users
from hordenode.store import blobs as blob_rows
from hordenode.store.tx import Tx

T = TypeVar("T")

CHUNK = 200  # per transaction, so that no sweep holds the writer for long


async def sweep_stale(co: Coordinator) -> int:
    """Take back jobs whose time is over; returns how many (contract 8.2)."""

    def take_back(tx: Tx) -> int:
        now = co.clock.now_ms()
        overdue = jobs.overdue(tx, now, CHUNK)
        for job in overdue:
            if (wp := requests.find_any(tx, job.request_id)) is not None:
                fault_job(tx, now, job, wp)
        return len(overdue)

    return await _until_done(co, take_back)


async def sweep_expired(co: Coordinator) -> int:
    """Delete requests whose life is over, with jobs and files; returns how many (contract 8.3)."""
    await count_deliveries(co)  # what is deleted cannot be counted any more
    left: list[File] = []

    def delete(tx: Tx) -> int:
        now = co.clock.now_ms()
        left.extend((SOURCES, key) for key in alchemy.delete_expired(tx, now))
        gone = requests.expired(tx, now, CHUNK)
        for wp in gone:
            left.extend(remove_request(tx, co, wp))
        return len(gone)

    count = await _until_done(co, delete)
    await remove_files(co, left)
    return count


async def sweep_blobs(co: Coordinator) -> int:
    """Delete files that outlived every request that could name them; returns how many."""
    expired = await co.db.read(lambda tx: blob_rows.expired(tx, co.clock.now_ms(), CHUNK))
    for bucket, key in expired:
        await files.remove(co, bucket, key)
    return len(expired)


async def save_presence(co: Coordinator) -> None:
    """Store what is known of workers only in memory: last seen, uptime, speed; and reward their uptime."""
    now = co.clock.now_ms()
    co.presence.recent.forget(now)
    changed = [p for p in co.presence.everyone() if p.seen_ms > p.saved_ms]
    for some in _chunks(changed):
        stored = [(p, p.seen_ms, p.uptime_ms // 1000) for p in some]
        await co.db.write(partial(_save_uptime, co=co, stored=stored))
        for present, seen_ms, seconds in stored:
            present.saved_ms, present.returned = seen_ms, False
            present.uptime_ms -= seconds * 1000


def _save_uptime(tx: Tx, co: Coordinator, stored: list[tuple[Present, int, int]]) -> None:
    for present, _, seconds in stored:
        uptime.save(tx, co, present, seconds)


async def save_activity(co: Coordinator) -> None:
    """Store when users and keys were last seen."""
    seen, used = co.activity.take()
    for some in _chunks(list(seen.items())):
        await co.db.write(partial(users.save_active, seen=dict(some)))
    for others in _chunks(list(used.items())):
        await co.db.write(partial(keys.save_used, used=dict(others)))


async def notice_changes(co: Coordinator) -> bool:
    """Read again what is kept in memory of the store when another program, such as the command line, wrote to it."""
    if not await co.db.changed_outside():
        return False
    await house.refresh(co)
    return True


async def give_back(co: Coordinator) -> int:
    """Jobs that this node's own worker held return to the queue; returns how many. At start, and at the end of a stop.

    Jobs of other workers stay submittable until their time is over.
    """

    def give(tx: Tx) -> int:
        held = jobs.in_process(tx)
        give_back_jobs(tx, co, held)
        return len(held)

    return await co.db.write(give)


async def rebuild_line(co: Coordinator) -> None:
    """At start: what is only kept in memory of the queue, and of messages."""

    def load(tx: Tx) -> tuple[list[LaneServed], list[WaitingPrompt]]:
        for kind in Kind:
            for signature, _ in queue.waiting_signatures(tx, kind):
                co.verdicts.needs(tx, kind, signature)
        co.turns.pass_over(queue.last_turn(tx))
        return [LaneServed(*row) for row in queue.lanes(tx)], requests.waiting(tx)

    co.line.load(*await co.db.read(load))
    co.live.load(LiveJob(*row) for row in await co.db.read(jobs.live))
    co.board.load(await co.db.read(lambda tx: messages.active(tx, co.clock.now_ms())))


async def _until_done(co: Coordinator, step: Callable[[Tx], int]) -> int:
    """Repeat a chunked step until a chunk is not full."""
    total = 0
    while True:
        done = await co.db.write(step)
        total += done
        if done < CHUNK:
            return total


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[at : at + CHUNK] for at in range(0, len(items), CHUNK))
