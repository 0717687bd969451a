"""The numbers of `check` and `status` (contract 9)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hordenode.coordinator.context import Coordinator
from hordenode.domain import kudos, lifecycle
from hordenode.domain.entities import Job, Kind, WaitingPrompt
from hordenode.domain.matching import DEFAULT_IMAGE_SPEED, DEFAULT_TEXT_SPEED

DEFAULT_SPEED = {Kind.IMAGE: DEFAULT_IMAGE_SPEED, Kind.TEXT: DEFAULT_TEXT_SPEED, Kind.ALCHEMY: 1.0}


def standing(co: Coordinator, wp: WaitingPrompt, running: Iterable[Job]) -> dict[str, Any]:
    """Where a request stands, as the fields of a RequestCheck; `running` are its jobs in flight."""
    place = co.line.place(wp.kind, wp.id)
    done = lifecycle.is_done(wp)
    return {
        "finished": wp.finished,
        "processing": wp.processing,
        "restarted": wp.restarted,
        "waiting": lifecycle.waiting_jobs(wp),
        "done": done,
        "faulted": wp.faulted,
        "wait_time": 0
        if done
        else round(_queue_seconds(co, wp.kind, place.things, place.jobs) + _running_seconds(co, wp, running)),
        "queue_position": place.position,
        "kudos": round(kudos.kudos(wp.consumed)),
        "is_possible": _possible(co, wp),
    }


def _queue_seconds(co: Coordinator, kind: Kind, things: int, jobs: int) -> float:
    """Things up to and including this request over the speed of as many threads as there is work for."""
    if things == 0:
        return 0.0
    threads = min(co.presence.threads(kind, co.clock.now_ms()), jobs)
    speed = co.presence.mean_speed(kind) or DEFAULT_SPEED[kind]
    return things / (speed * max(1, threads))


def _running_seconds(co: Coordinator, wp: WaitingPrompt, running: Iterable[Job]) -> float:
    """The longest expected remaining time of the jobs in flight ([FIX] only those)."""
    now = co.clock.now_ms()
    rest = 0.0
    for job in running:
        present = co.presence.get(job.worker_id)
        speed = (present.speed if present else None) or DEFAULT_SPEED[wp.kind]
        rest = max(rest, wp.things / speed - (now - job.popped_ms) / 1000)
    return rest


def _possible(co: Coordinator, wp: WaitingPrompt) -> bool:
    """Some job in flight or done with, or a worker that could take it (contract 9)."""
    if wp.faulted:
        return False
    if wp.processing or wp.n == 0:
        return True
    needs = co.verdicts.known(wp.signature_id)
    if needs is None:
        return True  # not matched since the node started: nobody has popped for it yet, so nothing is known against it
    return co.presence.can_serve(wp.kind, wp.signature_id, needs, wp.user_id, co.clock.now_ms())
