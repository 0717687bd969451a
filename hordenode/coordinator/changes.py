"""What follows a commit: how counters are stored, and who is told (ARCHITECTURE 3.7).

Store functions emit two sorts of events: these here, which keep the coordinator's own memory in step, and those of
ops/events.py, which are hints for everybody else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hordenode.coordinator.context import Coordinator
from hordenode.coordinator.counts import Counts
from hordenode.coordinator.line import LaneGone, LaneServed, LineMoved
from hordenode.domain import lifecycle
from hordenode.domain.entities import Kind, WaitingPrompt
from hordenode.domain.needs import Needs
from hordenode.ops.events import JobDone, JobFaulted, JobPopped, RequestDone
from hordenode.store import alchemy, requests
from hordenode.store.tx import Tx


@dataclass(frozen=True, slots=True)
class JobStopped:
    """The requester cancelled while this node's own worker holds the job: it may stop at once."""

    id: str


@dataclass(frozen=True, slots=True)
class SignatureUsed:
    """Needs that were not in memory have this id in the store."""

    id: int
    needs: Needs


@dataclass(frozen=True, slots=True)
class Committed:
    """Something that is also kept in memory was changed: bring the memory in step."""

    update: Callable[[], None]


def advance(tx: Tx, before: WaitingPrompt, after: WaitingPrompt, turn: int | None = None) -> None:
    """Store a transition of domain/lifecycle.py. turn: of the lane, when it got a job."""
    requests.advance(tx, before, after, turn)
    if after.kind is Kind.ALCHEMY and after.expires_ms != before.expires_ms:
        alchemy.refresh(tx, after)
    if before.n != after.n:
        tx.emit(LineMoved(after))


def public_id(tx: Tx, wp: WaitingPrompt) -> str:
    """The id that the requester knows: of a form, that of the alchemy request which it belongs to."""
    return alchemy.of_form(tx, wp.id) if wp.kind is Kind.ALCHEMY else wp.id


def tell_done(tx: Tx, wp: WaitingPrompt) -> None:
    """Tell everybody when nothing of the request is left to do; of an alchemy request, with its last form."""
    if not lifecycle.is_done(wp):
        return
    done = alchemy.done_with(tx, wp.id) if wp.kind is Kind.ALCHEMY else wp.id
    if done is not None:
        tx.emit(RequestDone(done, wp.user_id))


class Publisher:
    """Where the database delivers events after each commit, on the event loop and in the order of the commits."""

    def __init__(self, co: Coordinator, publish: Callable[[object], None], stop_job: Callable[[str], None]) -> None:
        self._co = co
        self._publish = publish
        self._count = Counts(co.metrics)
        self._own: dict[type, Callable[[Any], None]] = {
            LaneServed: co.line.apply,
            LaneGone: co.line.apply,
            LineMoved: self._moved,
            SignatureUsed: lambda event: co.verdicts.learn(event.id, event.needs),
            JobStopped: lambda event: stop_job(event.id),
            Committed: lambda event: event.update(),
        }
        self._known: dict[type, Callable[[Any], None]] = {
            JobPopped: self._popped,
            JobDone: self._ended,
            JobFaulted: self._ended,
            RequestDone: lambda event: co.doorbell.ring(event.id),
        }

    def __call__(self, event: object) -> None:
        kind = type(event)
        own = self._own.get(kind)
        if own is not None:
            own(event)
            return
        known = self._known.get(kind)
        if known is not None:
            known(event)
        self._count(event)
        self._co.streams.deliver(event)
        self._publish(event)

    def _moved(self, event: LineMoved) -> None:
        co = self._co
        before = co.line.waiting_of(event.wp.id)
        co.line.apply(event)
        co.doorbell.ring(event.wp.id)
        if event.wp.n > before and not event.gone:
            co.waiters.summon(event.wp, event.wp.n - before)

    def _popped(self, event: JobPopped) -> None:
        self._co.live.popped(event)
        if event.kind == Kind.ALCHEMY:  # the line moved for a form, but it is the whole request that is waited for
            self._co.doorbell.ring(event.request_id)

    def _ended(self, event: JobDone | JobFaulted) -> None:
        self._co.live.ended(event.id)
        if self._co.rules.max_running:
            self._co.waiters.rouse()  # for what this user has waiting, whatever it is
        self._co.doorbell.ring(event.request_id)
