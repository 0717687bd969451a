"""What follows a commit: how counters are stored, and who is told (ARCHITECTURE 3.7).

Store functions emit two sorts of events: these here, which keep the coordinator's own memory in step, and those of
ops/events.py, which are hints for everybody else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hordenode.coordinator.doorbell import Doorbell
from hordenode.coordinator.line import LaneServed, Line, LineMoved
from hordenode.domain import lifecycle
from hordenode.domain.entities import Kind, WaitingPrompt
from hordenode.ops.events import RequestDone
from hordenode.store import alchemy, requests
from hordenode.store.tx import Tx


@dataclass(frozen=True, slots=True)
class JobStopped:
    """The requester cancelled while this node's own worker holds the job: it may stop at once."""

    id: str


def advance(tx: Tx, before: WaitingPrompt, after: WaitingPrompt) -> None:
    """Store a transition of domain/lifecycle.py."""
    requests.advance(tx, before, after)
    if after.kind is Kind.ALCHEMY and after.expires_ms != before.expires_ms:
        alchemy.refresh(tx, after)
    if before.n != after.n:
        tx.emit(LineMoved(after))


def tell_done(tx: Tx, wp: WaitingPrompt) -> None:
    """Tell everybody when nothing of the request is left to do; of an alchemy request, with its last form."""
    if not lifecycle.is_done(wp):
        return
    done = alchemy.done_with(tx, wp.id) if wp.kind is Kind.ALCHEMY else wp.id
    if done is not None:
        tx.emit(RequestDone(id=done))


@dataclass(slots=True)
class Publisher:
    """Where the database delivers events after each commit, on the event loop and in the order of the commits."""

    line: Line
    doorbell: Doorbell
    publish: Callable[[object], None]
    stop_job: Callable[[str], None]

    def __call__(self, event: object) -> None:
        if isinstance(event, LaneServed):
            self.line.apply(event)
        elif isinstance(event, LineMoved):
            self.line.apply(event)
            if event.wp.n > 0 and not event.gone:
                self.doorbell.ring(event.wp.kind)
        elif isinstance(event, JobStopped):
            self.stop_job(event.id)
        else:
            if isinstance(event, RequestDone):
                self.doorbell.ring(event.id)
            self.publish(event)
