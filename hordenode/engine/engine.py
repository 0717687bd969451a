"""The facade: await the result of a job, hear of its steps, cancel it.

One thread runs all jobs, one at a time; models load on it too, so the event loop never waits for either.
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
from hordenode.engine.backends import EngineBackend, load_backend
from hordenode.engine.jobs import (
    EngineClosed,
    EngineError,
    Job,
    JobCancelled,
    ModelInfo,
    Progress,
    ProviderReport,
    Result,
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
        self._tickets: dict[str, _Ticket] = {}
        self._wake = threading.Condition()  # guards the scheduler, the tickets and _open
        self._open = False
        self._thread: threading.Thread | None = None
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
        # A daemon: a step that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._serve, name="hordenode-engine", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Cancel all jobs, wait for the step in hand and free the models."""
        with self._wake:
            self._open = False
            for job_id in list(self._tickets):
                self.cancel(job_id)
            self._wake.notify_all()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
            self._thread = None

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
            self._scheduler.add(job)
            self._wake.notify()
        try:
            return await ticket.future
        finally:
            if ticket.future.cancelled():
                self.cancel(job.id)

    def cancel(self, job_id: str) -> bool:
        """Stop a job within a step; False when there is none of this id. Its `generate` raises JobCancelled."""
        with self._wake:
            ticket = self._tickets.get(job_id)
            if ticket is None:
                return False
            ticket.cancelled = True
            if self._scheduler.remove(job_id):
                del self._tickets[job_id]
                _settle(ticket, JobCancelled(f"Job {job_id} was cancelled."))
            return True

    def _serve(self) -> None:
        """The engine's thread."""
        try:
            self._backend.warm()
        except Exception as error:
            # Jobs for other models can still run; jobs for this one will say the same again.
            log.error("a model could not be loaded: %s", error, exc_info=not isinstance(error, EngineError))
        while (ticket := self._next()) is not None:
            outcome = self._run(ticket)
            with self._wake:
                del self._tickets[ticket.job.id]
                if ticket.cancelled:
                    outcome = JobCancelled(f"Job {ticket.job.id} was cancelled.")
            self._post(_settle, ticket, outcome)
        self._backend.close()

    def _next(self) -> _Ticket | None:
        """Wait for a job; None when the engine closes."""
        with self._wake:
            while self._open:
                job = self._scheduler.next()
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
