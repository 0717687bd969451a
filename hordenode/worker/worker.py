"""The loop of a worker: pop, generate, submit. The same for a horde in this process and one far away.

Popping, generating and submitting overlap, so that the engine need not wait for the network: `pace.py` says how many
jobs are asked for ahead. What a horde refuses is answered as `reactions.py` says.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, Protocol, TypeVar

from hordenode.client.base import HordeClient
from hordenode.engine.jobs import EngineAway, EngineError, Job, JobCancelled, Progress, Result
from hordenode.protocol.common import WorkerMessage
from hordenode.protocol.errors import HordeError
from hordenode.worker import reactions
from hordenode.worker.pace import Pace
from hordenode.worker.reactions import Step

log = logging.getLogger("hordenode.worker")

POP_WAIT_S = 30.0
MOST_DELIVERIES = 16  # finished jobs on their way to the horde; with more, none is popped


class Generates(Protocol):
    """What a worker needs of an engine. See engine.Engine."""

    async def generate(self, job: Job, progress: Callable[[Progress], None] | None = None) -> Result: ...

    def cancel(self, job_id: str) -> bool: ...


class WorkerRefused(Exception):
    """The horde does not take this worker, and will not without its owner doing something; the text says what."""


async def _always() -> None:
    """Any pop is allowed."""


def _nothing(jobs: int) -> None:
    """Nobody counts."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """What every worker is given. `priority`: the engine serves lower numbers first.

    `seed` gives a fresh 32-bit number; `pause` waits some seconds; `progress` hears of each step, and sees a preview
    every `preview_every` steps (0 = never). `metadata`: whether pictures say how they were made. `permit` returns when
    a pop is allowed, and `popped` hears how many jobs came.
    """

    horde: HordeClient
    engine: Generates
    seed: Callable[[], int]
    progress: Callable[[Progress], None]
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep
    priority: int = 0
    metadata: bool = True
    preview_every: int = 0
    permit: Callable[[], Awaitable[None]] = _always
    popped: Callable[[int], None] = _nothing


class Popped(Protocol):
    """What the answers to pops have in common."""

    @property
    def id(self) -> str | None: ...

    @property
    def ids(self) -> tuple[str, ...]: ...

    @property
    def messages(self) -> tuple[WorkerMessage, ...]: ...


J = TypeVar("J", bound=Popped)  # a job as the horde hands it out
P = ParamSpec("P")
M = TypeVar("M")  # what the engine made of it


class Worker(ABC, Generic[J, M]):
    """Pops until it is stopped, and finishes what it holds. `capacity`: jobs side by side on the engine."""

    def __init__(self, wiring: Wiring, name: str, capacity: int) -> None:
        self.name = name
        self._wiring = wiring
        self._pace = Pace(capacity)
        self._room = asyncio.Semaphore(capacity)
        self._changed = asyncio.Event()
        self._stopping = False
        self._idle = False  # the last pop brought nothing
        self._failures = 0
        self._engine_failures = 0
        self._held: set[str] = set()  # ids of jobs that are not submitted
        self._unmade = 0  # jobs that the engine has not finished
        self._pops: set[asyncio.Task[None]] = set()
        self._jobs: set[asyncio.Task[None]] = set()
        self._resting: asyncio.Task[None] | None = None
        self._refusal: WorkerRefused | None = None
        self._told: set[str] = set()  # ids of messages from the horde

    async def run(self) -> None:
        """Work until stopped. A job that fails is submitted as faulted; a horde that fails is tried again.

        Raises WorkerRefused when trying again makes no sense; the jobs in hand are finished before.
        """
        try:
            while not self._stopping:
                for _ in range(self._wanted()):
                    self._start(self._pops, self._pop())
                self._changed.clear()
                await self._changed.wait()
            await asyncio.gather(*self._pops, return_exceptions=True)
            await asyncio.gather(*self._jobs)
        finally:
            for task in (*self._pops, *self._jobs, *((self._resting,) if self._resting else ())):
                task.cancel()
        if self._refusal is not None:
            raise self._refusal

    def stop(self) -> None:
        """No more pops; jobs in hand are finished unless `abandon` is called."""
        self._stopping = True
        self._changed.set()
        for task in self._pops:
            task.cancel()

    def abandon(self) -> None:
        """Give up the jobs in hand: they are submitted as faulted."""
        for job_id in list(self._held):
            self.stop_job(job_id)

    def stop_job(self, job_id: str) -> None:
        """Stop one job within a step, if this worker holds it."""
        if job_id in self._held:
            self._wiring.engine.cancel(job_id)

    @abstractmethod
    async def _ask(self, wait: float) -> J:
        """Pop."""

    @abstractmethod
    async def _prepare(self, job: J) -> Any:
        """Fetch what the engine needs, while it is busy with another job."""

    @abstractmethod
    async def _make(self, job: J, prepared: Any) -> M:
        """Run the engine. Raises EngineError for what it cannot do."""

    @abstractmethod
    async def _deliver(self, job: J, made: M) -> None:
        """Hand in the results, by `_hand_in`."""

    @abstractmethod
    async def _fault(self, job: J) -> None:
        """Hand the whole job back as faulted."""

    def _wanted(self) -> int:
        delivering = len(self._jobs) - self._unmade
        if self._stopping or self._resting is not None or delivering > MOST_DELIVERIES:
            return 0
        return self._pace.pops(self._unmade, len(self._pops), idle=self._idle)

    def _start(self, tasks: set[asyncio.Task[None]], run: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(run, name=f"worker {self.name}")
        tasks.add(task)
        task.add_done_callback(lambda done: self._ended(tasks, done))

    def _ended(self, tasks: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
        tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: this should not happen; the worker goes on", self.name, exc_info=error)
        self._changed.set()

    async def _pop(self) -> None:
        await self._wiring.permit()
        if self._stopping:
            return
        try:
            job = await self._ask(POP_WAIT_S)
        except (HordeError, OSError) as error:
            self._refused(error)
            return
        self._failures = 0
        self._idle = job.id is None
        self._show(job.messages)
        if job.id is not None:
            self._wiring.popped(len(job.ids))
            self._held |= set(job.ids)
            self._unmade += 1
            self._start(self._jobs, self._serve(job))

    def _refused(self, error: Exception) -> None:
        """A pop failed: rest, or stop for good. Of pops that fail together, one decides."""
        if self._resting is not None or self._stopping:
            return
        self._failures += 1
        reaction = reactions.to_pop(error, self._failures)
        if reaction.step is Step.STOP:
            self._refusal = WorkerRefused(f"{error} {reaction.advice}".strip())
            self.stop()
            return
        log.warning("%s: %s Trying again in %.0f s. %s", self.name, _sentence(error), reaction.pause, reaction.advice)
        self._begin_rest(reaction.pause)

    def _failed(self, job_id: str | None, error: Exception) -> None:
        """A job failed. While the engine is not there, none is asked for: the horde counts those that fail."""
        report_failure(self.name, job_id, error)
        if isinstance(error, EngineAway) and self._resting is None and not self._stopping:
            self._engine_failures += 1
            self._begin_rest(reactions.to_lost_engine(self._engine_failures))

    def _begin_rest(self, seconds: float) -> None:
        self._resting = asyncio.create_task(self._rest(seconds), name=f"worker {self.name} rests")

    async def _rest(self, seconds: float) -> None:
        await self._wiring.pause(seconds)
        self._resting = None
        self._idle = True  # one pop finds out how things are
        self._changed.set()

    def _show(self, messages: tuple[WorkerMessage, ...]) -> None:
        """What the horde's people tell the owner, each once."""
        for message in messages:
            if message.id not in self._told:
                self._told.add(message.id)
                log.info("%s: message from %s: %s", self.name, message.origin, message.message)

    async def _serve(self, job: J) -> None:
        try:
            made = await self._made(job)
            if made is None:
                await self._fault(job)
            else:
                await self._deliver(job, made)
        except (HordeError, OSError) as error:
            log.warning("%s: job %s could not be handed in: %s", self.name, job.id, error)
        finally:
            self._held -= set(job.ids)

    async def _made(self, job: J) -> M | None:
        """What the engine made, None when it could not."""
        loop = asyncio.get_running_loop()
        try:
            prepared = await self._prepare(job)
            async with self._room:
                begun = loop.time()
                made = await self._make(job, prepared)
                self._pace.worked(loop.time() - begun)
                return made
        except Exception as error:
            self._failed(job.id, error)
            return None
        finally:
            self._unmade -= 1
            self._changed.set()

    async def _generate(self, job: Job) -> Result:
        """Run the engine. Raises EngineError."""
        made = await self._wiring.engine.generate(job, self._wiring.progress)
        self._engine_failures = 0
        return made

    async def _hand_in(self, send: Callable[P, Awaitable[object]], *args: P.args, **kwargs: P.kwargs) -> bool:
        """Send until the horde has it, or will not have it; False then."""
        loop = asyncio.get_running_loop()
        tries = 0
        while True:
            tries += 1
            begun = loop.time()
            try:
                await send(*args, **kwargs)
                self._pace.called(loop.time() - begun)
                return True
            except (HordeError, OSError) as error:
                reaction = reactions.to_submit(error, tries)
                log.warning("%s: not handed in: %s %s", self.name, _sentence(error), reaction.advice)
            if reaction.step is not Step.RETRY:
                return False
            await self._wiring.pause(reaction.pause)


def _sentence(error: Exception) -> str:
    text = str(error).strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def report_failure(worker: str, job_id: str | None, error: Exception) -> None:
    """A failed job is the horde's to hand out again; the owner reads here why it failed."""
    if isinstance(error, JobCancelled):
        log.info("%s: job %s was cancelled", worker, job_id)
    elif isinstance(error, EngineError):
        log.error("%s: job %s failed: %s", worker, job_id, error)
    else:
        log.error("%s: job %s failed", worker, job_id, exc_info=error)
