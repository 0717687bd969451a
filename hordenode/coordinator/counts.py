"""What the coordinator counts (ops/metric_names.py): events as they come, totals when somebody reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hordenode.coordinator.context import Coordinator
from hordenode.domain import kudos
from hordenode.domain.entities import Kind
from hordenode.ops import metric_names as names
from hordenode.ops.events import JobDone, JobFaulted, JobPopped, KudosMoved, RequestQueued
from hordenode.ops.metrics import Metrics, Sample
from hordenode.store import queue
from hordenode.store.queue import Total
from hordenode.store.tx import Tx

ANY_MODEL = "any"


class Counts:
    """Counts events: one call each."""

    def __init__(self, metrics: Metrics) -> None:
        self._requests = {kind.value: metrics.counter(names.REQUESTS, kind.value) for kind in Kind}
        self._wait = {kind.value: metrics.histogram(names.WAIT_SECONDS, kind.value) for kind in Kind}
        self._run = {kind.value: metrics.histogram(names.RUN_SECONDS, kind.value) for kind in Kind}
        self._popped, self._done, self._faulted = (
            metrics.counter(names.JOBS, outcome) for outcome in ("popped", "done", "faulted")
        )
        self._earned = metrics.counter(names.KUDOS, "earned")
        self._paid = metrics.counter(names.KUDOS, "paid")
        self._handlers: dict[type, Callable[..., None]] = {
            RequestQueued: self._on_queued,
            JobPopped: self._on_popped,
            JobDone: self._on_done,
            JobFaulted: self._on_faulted,
            KudosMoved: self._on_kudos,
        }

    def __call__(self, event: object) -> None:
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def _on_queued(self, event: RequestQueued) -> None:
        self._requests[event.kind].value += 1

    def _on_popped(self, event: JobPopped) -> None:
        self._popped.value += 1
        self._wait[event.kind].observe(event.waited_ms / 1000)

    def _on_done(self, event: JobDone) -> None:
        self._done.value += 1
        self._run[event.kind].observe(event.ran_ms / 1000)

    def _on_faulted(self, event: JobFaulted) -> None:
        self._faulted.value += 1

    def _on_kudos(self, event: KudosMoved) -> None:
        moved = kudos.kudos(event.amount)
        (self._earned if moved > 0 else self._paid).value += abs(moved)


def _now(co: Coordinator) -> Iterator[Sample]:
    """What is there now. Read from totals and memory, never from requests."""
    now = co.clock.now_ms()
    for kind in Kind:
        yield Sample(names.QUEUED_JOBS, co.line.waiting_jobs(kind), (kind.value,))
        yield Sample(names.WORKERS, sum(1 for _ in co.presence.online(kind, now)), (kind.value,))
        yield Sample(names.THREADS, co.presence.threads(kind, now), (kind.value,))
    yield Sample(names.RUNNING_JOBS, len(co.live))
    yield Sample(names.STREAMS, len(co.streams))
    yield Sample(names.LONG_POLLS, len(co.waiters))
    yield Sample(names.WRITE_QUEUE, co.db.waiting)


async def render(co: Coordinator) -> str:
    """All metrics as text."""
    return co.metrics.render([*_now(co), *await _by_model(co)])


async def _by_model(co: Coordinator) -> list[Sample]:
    """The queue by model; a request counts for each model that it names."""

    def read(tx: Tx) -> dict[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}
        for kind in (Kind.IMAGE, Kind.TEXT):
            for total in queue.totals(tx, kind):
                _add(found, kind, co.verdicts.needs(tx, kind, total.signature_id).audience.models, total)
        return found

    return [Sample(names.QUEUED_MODEL_JOBS, jobs, key) for key, jobs in (await co.db.read(read)).items()]


def _add(found: dict[tuple[str, str], int], kind: Kind, models: tuple[str, ...], total: Total) -> None:
    for model in models or (ANY_MODEL,):
        key = (kind.value, model)
        found[key] = found.get(key, 0) + total.jobs
