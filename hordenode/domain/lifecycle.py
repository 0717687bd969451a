"""States and legal transitions of a request and its jobs (contract 8.6, 9).

Each function returns the request's counters after one event. `waiting + processing + finished = jobs` holds until the
request is faulted or cancelled; `restarted` counts faulted jobs, whose slots return to the queue.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from hordenode.domain.entities import Kind, WaitingPrompt

LIFETIME_MS = 20 * 60 * 1000
SLOW_LIFETIME_MS = 60 * 60 * 1000
# A life ends at a full ten seconds, so that what happens to a request within moments leaves the index of lives alone.
GRAIN_MS = 10_000
FAULTS_ALLOWED = {Kind.IMAGE: 3, Kind.TEXT: 3, Kind.ALCHEMY: 4}  # the last of them ends the request


class QueueShare(msgspec.Struct, frozen=True):
    """What one request adds to the totals of its signature; nothing once all its jobs are handed out."""

    requests: int
    waiting: int
    jobs: int
    things: int


def queue_share(wp: WaitingPrompt) -> QueueShare:
    """Contract 18: totals cover waiting and in-flight jobs of requests that still have waiting ones."""
    if wp.n == 0:
        return QueueShare(0, 0, 0, 0)
    jobs = wp.n + wp.processing
    return QueueShare(1, wp.n, jobs, jobs * wp.things)


def expiry(now_ms: int, lifetime_ms: int = LIFETIME_MS) -> int:
    """When a request that something just happened to expires: after its lifetime at the earliest."""
    return -(-(now_ms + lifetime_ms) // GRAIN_MS) * GRAIN_MS


def hand_out(wp: WaitingPrompt, count: int, now_ms: int, *, slow_worker: bool = False) -> WaitingPrompt:
    """`count` jobs go to a worker; the request's life is refreshed."""
    if not 0 < count <= wp.n:
        raise ValueError(f"cannot hand out {count} of {wp.n} jobs")
    expires = expiry(now_ms, SLOW_LIFETIME_MS) if slow_worker else max(wp.expires_ms, expiry(now_ms))
    return replace(wp, n=wp.n - count, processing=wp.processing + count, expires_ms=expires)


def deliver(wp: WaitingPrompt, charge: int, now_ms: int) -> WaitingPrompt:
    """A job came back with a result that costs its requester `charge`."""
    return replace(
        wp,
        processing=wp.processing - 1,
        finished=wp.finished + 1,
        consumed=wp.consumed + charge,
        expires_ms=max(wp.expires_ms, expiry(now_ms)),
    )


def fault(wp: WaitingPrompt, now_ms: int) -> WaitingPrompt:
    """A job came back without a result, or not in time: its slot returns; the third time, of a form the fourth, ends the
    request ([FIX] 8.1, 12).

    A cancelled request (jobs = finished + processing) shrinks instead, so that it becomes done.
    """
    restarted = wp.restarted + 1
    back = replace(wp, processing=wp.processing - 1, restarted=restarted, expires_ms=max(wp.expires_ms, expiry(now_ms)))
    if wp.cancelled:
        return replace(back, jobs=wp.jobs - 1)
    if wp.faulted:
        return back
    if restarted >= FAULTS_ALLOWED[wp.kind]:
        return replace(back, faulted=True, n=0)
    return replace(back, n=wp.n + 1)


def give_back(wp: WaitingPrompt) -> WaitingPrompt:
    """The node stopped while its own worker held a job: the slot returns and nobody is to blame."""
    back = replace(wp, processing=wp.processing - 1)
    if wp.cancelled:
        return replace(back, jobs=wp.jobs - 1)
    return back if wp.faulted else replace(back, n=wp.n + 1)


def cancel(wp: WaitingPrompt) -> WaitingPrompt:
    """Nothing more is handed out; jobs in flight run on and are shown ([FIX] 8.3: for both kinds)."""
    return replace(wp, n=0, jobs=wp.finished + wp.processing, cancelled=True)


def waiting_jobs(wp: WaitingPrompt) -> int:
    """The wire's `waiting` (contract 9)."""
    return max(0, min(wp.n, wp.jobs - wp.processing - wp.finished))


def is_done(wp: WaitingPrompt) -> bool:
    """Nothing waiting and nothing in flight, or given up (contract 9)."""
    return wp.faulted or (wp.n == 0 and wp.processing == 0)
