"""Following what happens: who may see what, where everything stands, and progress on its way to those who follow."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import msgspec
from msgspec import UNSET

from hordenode.coordinator.context import Caller, Coordinator
from hordenode.coordinator.live import LiveJob, News
from hordenode.coordinator.progress import standing
from hordenode.coordinator.streams import topics_for
from hordenode.domain import kudos
from hordenode.domain.entities import Job, Kind, User, WaitingPrompt
from hordenode.ops import metric_names as names
from hordenode.protocol.common import RequestCheck
from hordenode.protocol.errors import HordeError
from hordenode.protocol.events import FollowedJob, FollowedRequest, Queued, SeenWorker, Snapshot
from hordenode.store import jobs, ledger, requests
from hordenode.store.tx import Tx

MOST_NAMED = 50
MOST_LISTED = 500


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who follows. user: None without a key; named: ids of requests that it asks for."""

    user: User | None
    named: tuple[str, ...]
    address: str

    @property
    def personal(self) -> bool:
        """Whether the key is one person's."""
        return self.user is not None and not self.user.anonymous

    @property
    def who(self) -> Hashable:
        """By what its streams are counted."""
        return self.user.id if self.personal and self.user is not None else self.address

    @property
    def topics(self) -> frozenset[Hashable]:
        return topics_for(self.user, self.named)


async def viewer(co: Coordinator, caller: Caller, named: Iterable[str]) -> Viewer:
    """Who calls; InvalidAPIKey for a key that nobody has, BadRequest for too many requests at once."""
    ids = tuple(dict.fromkeys(name for name in named if name))
    if len(ids) > MOST_NAMED:
        raise HordeError("BadRequest", reason=f"At most {MOST_NAMED} requests can be followed by one stream.")
    co.check_open()
    user = None
    if caller.apikey is not None:
        user = await co.db.read(lambda tx: co.authenticate(tx, caller))
    return Viewer(user, ids, caller.address)


async def snapshot(co: Coordinator, it: Viewer) -> Snapshot:
    """Where everything stands that the viewer may see."""
    found, balance = await co.db.read(lambda tx: _read(tx, it))
    known = {wp.id for wp, _ in found}
    now = co.clock.now_ms()
    return Snapshot(
        requests=tuple(_request(co, wp, running) for wp, running in found),
        jobs=tuple(_job(job) for wp_id in known for job in co.live.of_request(wp_id)),
        workers=tuple(
            SeenWorker(id=present.worker.id, name=present.worker.name, type=kind.value)
            for kind in Kind
            for present in co.presence.online(kind, now)
        ),
        queued=Queued(**{kind.value: co.line.waiting_jobs(kind) for kind in Kind}),
        kudos=UNSET if balance is None else kudos.kudos(balance),
    )


def report(co: Coordinator, job_id: str, news: News, *, here: bool = False) -> None:
    """A running job made a step; see ops/events.py. Without effect for a job that does not run.

    here: on this node's own engine.
    """
    job = co.live.get(job_id)
    if job is None:
        return
    if here:
        co.metrics.counter(names.ENGINE_STEPS, job.kind).add(max(0, news.step - job.step))
    co.announce(co.live.progress(job, news))


def _read(tx: Tx, it: Viewer) -> tuple[list[tuple[WaitingPrompt, list[Job]]], int | None]:
    ids = list(it.named)
    balance = None
    if it.personal and it.user is not None:
        ids += [request_id for request_id, _ in requests.open_of_user(tx, it.user.id)]
        balance = ledger.balance(tx, it.user.id)
    found = (requests.find_any(tx, request_id) for request_id in dict.fromkeys(ids[:MOST_LISTED]))
    return [(wp, jobs.running_of(tx, wp.id) if wp.processing else []) for wp in found if wp is not None], balance


def _request(co: Coordinator, wp: WaitingPrompt, running: list[Job]) -> FollowedRequest:
    check = msgspec.structs.asdict(RequestCheck(**standing(co, wp, running)))
    return FollowedRequest(id=wp.id, type=wp.kind.value, **check)


def _job(job: LiveJob) -> FollowedJob:
    return FollowedJob(
        id=job.id,
        request_id=job.request_id,
        step=job.step,
        steps=job.steps,
        text=job.text,
        logprobs=tuple(job.logprobs) or UNSET,
        preview=job.preview or UNSET,
    )
