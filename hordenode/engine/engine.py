"""The facade: await the result of a job, hear of its steps, cancel it.

One thread runs jobs one at a time; models load on it too, so the event loop never waits for either. Forms of alchemy
have a second thread, so that they need not wait for pictures. Texts that a backend writes side by side have a third: the
runtime lets go of the GIL while it computes, so that a picture's step of seconds does not hold up texts whose steps take
milliseconds, and the operating system shares the cores out.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hordenode.catalog import Catalog
from hordenode.config import EngineSettings
from hordenode.engine.backends import Batches, EngineBackend, Failure, HasBatches, Outcome, load_backend
from hordenode.engine.jobs import (
    AlchemyJob,
    EngineClosed,
    EngineError,
    Job,
    JobCancelled,
    ModelInfo,
    Progress,
    ProviderReport,
    Result,
    TextJob,
)
from hordenode.engine.scheduler import Scheduler

log = logging.getLogger("hordenode.engine")


@dataclass(slots=True)
class _Ticket:
    """A job and those who wait for it."""

    job: Job
    future: asyncio.Future[Result]
    progress: Callable[[Progress], None] | None
    cancelled: bool = False


class Engine:
    """Runs jobs on a backend. Start it, generate, close it, all on one event loop."""

    def __init__(self, catalog: Catalog, settings: EngineSettings, backend: EngineBackend | None = None) -> None:
        self._backend = backend or load_backend(settings.backend, catalog, settings)
        self._scheduler = Scheduler()
        self._forms = Scheduler()
        self._texts: Batches | None = self._backend.texts if isinstance(self._backend, HasBatches) else None
        self._orders: list[TextJob | str] = []  # for the thread of the texts: jobs to begin, ids to drop
        self._tickets: dict[str, _Ticket] = {}
        self._wake = threading.Condition()  # guards the schedulers, the tickets and _open
        self._open = False
        self._closed = False
        self._threads: list[threading.Thread] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def models(self) -> tuple[ModelInfo, ...]:
        """What can run."""
        return self._backend.models()

    def provider(self) -> ProviderReport:
        """Where it runs and why not elsewhere. May take a second: the runtime is asked."""
        return self._backend.provider()

    async def start(self) -> None:
        """Begin to take jobs. Pinned models load meanwhile on the engine's thread."""
        self._loop = asyncio.get_running_loop()
        self._open = True
        parts = {"hordenode-engine": self._serve, "hordenode-alchemy": self._serve_forms}
        if self._texts:
            parts["hordenode-texts"] = self._serve_texts
        # Daemons: a step that hangs must not keep the process from ending.
        self._threads = [threading.Thread(target=part, name=name, daemon=True) for name, part in parts.items()]
        for thread in self._threads:
            thread.start()

    async def close(self) -> None:
        """Cancel all jobs, wait for the step in hand and free the models."""
        with self._wake:
            self._open = False
            for job_id in list(self._tickets):
                self.cancel(job_id)
            self._wake.notify_all()
        threads, self._threads = self._threads, []
        for thread in threads:
            await asyncio.to_thread(thread.join)
        if not self._closed:
            self._closed = True
            self._backend.close()

    async def generate(self, job: Job, progress: Callable[[Progress], None] | None = None) -> Result:
        """Wait for the result of a job; `progress` is called on the event loop.

        Raises JobCancelled after `cancel`, EngineClosed, UnknownModel, UnsupportedJob, ModelFileError; ValueError for
        an id that is in use. Cancelling the awaiting task cancels the job.
        """
        with self._wake:
            if not self._open or self._loop is None:
                raise EngineClosed("The engine is not running.")
            if job.id in self._tickets:
                raise ValueError(f"a job with id {job.id!r} is already there")
            ticket = _Ticket(job, self._loop.create_future(), progress)
            self._tickets[job.id] = ticket
            if self._texts is None or not isinstance(job, TextJob):
                self._scheduler_of(job).add(job)
            elif not job.messages:
                self._orders.append(job)
            self._wake.notify_all()
        try:
            if self._texts is not None and isinstance(job, TextJob) and job.messages:
                await self._converse(self._texts, job, ticket)
            return await ticket.future
        finally:
            if ticket.future.cancelled():
                self.cancel(job.id)

    async def _converse(self, texts: Batches, job: TextJob, ticket: _Ticket) -> None:
        """Order a text whose prompt a template has still to make, meanwhile the others go on."""
        try:
            prepared = await asyncio.to_thread(texts.prepare, job)
        except BaseException:
            with self._wake:
                if self._tickets.get(job.id) is ticket:
                    del self._tickets[job.id]
            raise
        with self._wake:
            if self._tickets.get(job.id) is ticket:
                self._orders.append(prepared)
                self._wake.notify_all()

    def pending(self, priority: int) -> int:
        """How many jobs that go before those of this priority are not finished."""
        with self._wake:
            return sum(ticket.job.priority < priority for ticket in self._tickets.values())

    def cancel(self, job_id: str) -> bool:
        """Stop a job within a step; False when there is none of this id. Its `generate` raises JobCancelled."""
        with self._wake:
            ticket = self._tickets.get(job_id)
            if ticket is None:
                return False
            ticket.cancelled = True
            batched = self._texts is not None and isinstance(ticket.job, TextJob)
            if batched:
                self._orders.append(job_id)
            if batched or self._scheduler_of(ticket.job).remove(job_id):
                del self._tickets[job_id]
                _settle(ticket, JobCancelled(f"Job {job_id} was cancelled."))
            return True

    def _scheduler_of(self, job: Job) -> Scheduler:
        return self._forms if isinstance(job, AlchemyJob) else self._scheduler

    def _serve(self) -> None:
        """The engine's thread."""
        try:
            self._backend.warm()
        except Exception as error:
            # Jobs for other models can still run; jobs for this one will say the same again.
            log.error("a model could not be loaded: %s", error, exc_info=not isinstance(error, EngineError))
        self._run_all(self._scheduler)

    def _serve_forms(self) -> None:
        """The thread of alchemy."""
        self._run_all(self._forms)

    def _run_all(self, scheduler: Scheduler) -> None:
        """Run jobs one at a time until the engine closes."""
        while (ticket := self._next(scheduler)) is not None:
            outcome = self._run(ticket)
            with self._wake:
                del self._tickets[ticket.job.id]
                if ticket.cancelled:
                    outcome = JobCancelled(f"Job {ticket.job.id} was cancelled.")
            self._post(_settle, ticket, outcome)

    def _serve_texts(self) -> None:
        """The thread of the texts that are written side by side."""
        texts = self._texts
        assert texts is not None
        while self._take_orders(texts):
            self._deliver(texts.step())

    def _take_orders(self, texts: Batches) -> bool:
        """Begin and drop what was asked for, waiting while there is nothing to do; False when the engine closes."""
        with self._wake:
            while self._open and not self._orders and not texts.busy:
                self._wake.wait()
            orders, self._orders = self._orders, []
        for order in orders:
            if isinstance(order, TextJob):
                texts.add(order)
            else:
                texts.drop(order)
        return self._open

    def _deliver(self, outcomes: list[Outcome]) -> None:
        """Pass on what a step of the texts brought, all at once: each call wakes the event loop, which takes the GIL."""
        told: list[tuple[_Ticket, Outcome]] = []
        with self._wake:
            for outcome in outcomes:
                ticket = self._tickets.get(outcome.id)
                if ticket is None or outcome.id in self._orders:
                    continue  # cancelled meanwhile, though the id may be in use again
                if not isinstance(outcome, Progress):
                    del self._tickets[outcome.id]
                told.append((ticket, outcome))
        if told:
            self._post(_hand_over, told)

    def _next(self, scheduler: Scheduler) -> _Ticket | None:
        """Wait for a job; None when the engine closes."""
        with self._wake:
            while self._open:
                job = scheduler.next()
                if job is not None:
                    return self._tickets[job.id]
                self._wake.wait()
            return None

    def _run(self, ticket: _Ticket) -> Result | Exception:
        """The result of a job, or what it raised: whatever that is, the next job is served."""

        def report(progress: Progress) -> None:
            if ticket.cancelled:
                raise JobCancelled(f"Job {ticket.job.id} was cancelled.")
            if ticket.progress is not None:
                self._post(_tell, ticket, progress)

        try:
            return self._backend.run(ticket.job, report)
        except Exception as error:
            return error
        except BaseException as error:
            # SystemExit and its like would end the thread; in a future they would end the event loop.
            return EngineError(f"The engine's backend gave up: {error!r}").with_traceback(error.__traceback__)

    def _post(self, function: Callable[..., None], *arguments: Any) -> None:
        """Call a function on the event loop; when the loop has ended, nobody waits for it."""
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            if not self._loop.is_closed():
                raise
            with self._wake:
                self._open = False


def _hand_over(told: list[tuple[_Ticket, Outcome]]) -> None:
    for ticket, outcome in told:
        if isinstance(outcome, Progress):
            _tell(ticket, outcome)
        else:
            _settle(ticket, outcome.error if isinstance(outcome, Failure) else outcome)


def _settle(ticket: _Ticket, outcome: Result | Exception) -> None:
    if ticket.future.done():
        return
    if isinstance(outcome, StopIteration):  # the one exception that a future refuses
        outcome = EngineError("The engine's backend raised StopIteration.").with_traceback(outcome.__traceback__)
    if isinstance(outcome, Exception):
        ticket.future.set_exception(outcome)
    else:
        ticket.future.set_result(outcome)


def _tell(ticket: _Ticket, progress: Progress) -> None:
    if ticket.progress is not None and not ticket.future.done():
        ticket.progress(progress)
