"""The engine: one thread that does one job after the other, most urgent first; an awaitable result for each."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from hordenode.catalog import Catalog
from hordenode.config import EngineSettings
from hordenode.engine.backends import EngineBackend, make_backend
from hordenode.engine.jobs import EngineError, Job, JobCancelled, ModelInfo, Progress, ProviderReport, Result

log = logging.getLogger("hordenode.engine")

ProgressListener = Callable[[Progress], None]


@dataclass(slots=True)
class _Ticket:
    """A job on its way. `stop` is set from the event loop and read on the engine's thread."""

    job: Job
    future: asyncio.Future[Result]
    loop: asyncio.AbstractEventLoop
    listener: ProgressListener | None
    stop: threading.Event = field(default_factory=threading.Event)

    def report(self, progress: Progress) -> None:
        """Called on the engine's thread after each step."""
        if self.stop.is_set():
            raise JobCancelled(f"job {self.job.id} was cancelled")
        if self.listener is not None:
            self.loop.call_soon_threadsafe(self.listener, progress)

    def settle(self, result: Result | None, error: Exception | None) -> None:
        """Called on the engine's thread."""
        self.loop.call_soon_threadsafe(self._settle, result, error)

    def _settle(self, result: Result | None, error: Exception | None) -> None:
        if self.future.done():
            return
        if error is not None:
            self.future.set_exception(error)
        elif result is not None:
            self.future.set_result(result)


class Engine:
    """Runs jobs on a backend. `start` and `close` belong to the owner; `generate` may be called concurrently."""

    def __init__(self, catalog: Catalog, settings: EngineSettings, backend: EngineBackend | None = None) -> None:
        self._backend = backend or make_backend(catalog, settings)
        self._queue: list[tuple[int, int, _Ticket]] = []
        self._arrived = threading.Condition()
        self._order = itertools.count()
        self._tickets: dict[str, _Ticket] = {}
        self._thread: threading.Thread | None = None
        self._closing = False

    async def start(self) -> None:
        """Start the engine's thread. Models are loaded when they are first used."""
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Cancel everything and wait for the step in progress."""
        with self._arrived:
            self._closing = True
            for ticket in self._tickets.values():
                ticket.stop.set()
            self._arrived.notify()
        self._backend.close()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    def models(self) -> tuple[ModelInfo, ...]:
        """What can run."""
        return self._backend.models()

    def provider(self) -> ProviderReport:
        """Where it runs, and why not elsewhere."""
        return self._backend.provider()

    async def generate(self, job: Job, progress: ProgressListener | None = None) -> Result:
        """Do a job; `progress` is called on the event loop after each step.

        Raises JobCancelled after `cancel(job.id)`, and EngineError for what the engine cannot do.
        """
        loop = asyncio.get_running_loop()
        ticket = _Ticket(job, loop.create_future(), loop, progress)
        with self._arrived:
            if self._closing or self._thread is None:
                raise EngineError("the engine is not running")
            if job.id in self._tickets:
                raise EngineError(f"job {job.id} is already running")
            self._tickets[job.id] = ticket
            heapq.heappush(self._queue, (job.priority, next(self._order), ticket))
            self._arrived.notify()
        try:
            return await ticket.future
        finally:
            ticket.stop.set()
            with self._arrived:
                self._tickets.pop(job.id, None)

    def cancel(self, job_id: str) -> bool:
        """Stop a job within a step; False when there is none of this id."""
        with self._arrived:
            ticket = self._tickets.get(job_id)
            if ticket is None:
                return False
            ticket.stop.set()
            return True

    def _next(self) -> _Ticket | None:
        with self._arrived:
            while not self._queue and not self._closing:
                self._arrived.wait()
            return heapq.heappop(self._queue)[2] if self._queue else None

    def _work(self) -> None:
        """The engine's thread: a job that fails never ends it."""
        while (ticket := self._next()) is not None:
            try:
                if ticket.stop.is_set():
                    raise JobCancelled(f"job {ticket.job.id} was cancelled")
                ticket.settle(self._backend.run(ticket.job, ticket.report), None)
            except Exception as error:
                ticket.settle(None, error)
