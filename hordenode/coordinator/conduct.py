"""Writing down what is odd about workers of untrusted users (contract 8.2, 11)."""

from __future__ import annotations

from msgspec.structs import replace

from hordenode.coordinator.presence import Pop
from hordenode.domain import conduct
from hordenode.domain.entities import User, Worker
from hordenode.protocol.image import ImagePop
from hordenode.store import suspicions, users, workers
from hordenode.store.tx import Tx


def note_aborted(tx: Tx, worker_id: str, now_ms: int) -> None:
    """A job of the worker ended without a result; too many within an hour end in maintenance.

    Not for the owner of the node, who sees its own workers' failures in the log.
    """
    count = workers.count_aborted(tx, worker_id, now_ms)
    worker = workers.by_id(tx, worker_id) if count > conduct.FEWEST_ABORTED else None
    if worker is None or count <= conduct.most_aborted(worker.kind):
        return
    owner = users.find(tx, worker.user_id)
    if owner is None or owner.admin:
        return
    workers.save(tx, replace(worker, maintenance=True, maintenance_message=conduct.TOO_MANY_ABORTED))
    workers.forgive_aborted(tx, worker.id)
    _suspect(tx, owner, worker, "too many aborted jobs", now_ms, again=True)


def note_speed(tx: Tx, owner: User, worker: Worker, model: str, speed: float, now_ms: int) -> None:
    """A job was delivered at this speed (things per second)."""
    if not owner.trusted and conduct.too_fast(worker.kind, model, speed):
        _suspect(tx, owner, worker, "unreasonably fast", now_ms, again=True)


def note_offer(tx: Tx, owner: User, worker: Worker, pop: Pop, now_ms: int) -> None:
    """The worker popped with this offer."""
    if not owner.trusted and isinstance(pop, ImagePop) and pop.max_pixels > conduct.MOST_PIXELS:
        _suspect(tx, owner, worker, "max_pixels beyond what can be asked for", now_ms)


def _suspect(tx: Tx, owner: User, worker: Worker, reason: str, now_ms: int, *, again: bool = False) -> None:
    if not owner.trusted:
        suspicions.add(tx, owner.id, worker.id, reason, now_ms, again=again)
