"""The loop of a worker: pop, generate, submit. The same for a horde in this process and one far away."""

from __future__ import annotations

import asyncio
import base64
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from hordenode.client.base import HordeClient
from hordenode.engine.engine import Engine
from hordenode.engine.jobs import EngineError, ImageResult, JobCancelled, Progress, TextResult
from hordenode.protocol.errors import HordeError
from hordenode.protocol.image import ImageJob, ImagePop
from hordenode.protocol.text import TextJob, TextPop
from hordenode.worker import results
from hordenode.worker.metadata import parameters

log = logging.getLogger("hordenode.worker")

POP_WAIT_S = 30.0
BACK_OFF_S = (1.0, 60.0)


@dataclass(frozen=True, slots=True)
class Wiring:
    """What every worker is given. `priority`: the engine serves lower numbers first.

    `seed` gives a fresh 32-bit number; `pause` waits some seconds; `progress` hears of each step, and sees a preview
    every `preview_every` steps (0 = never). `metadata`: whether pictures say how they were made.
    """

    horde: HordeClient
    engine: Engine
    seed: Callable[[], int]
    progress: Callable[[Progress], None]
    pause: Callable[[float], asyncio.Future[None]] | Callable[[float], object] = asyncio.sleep
    priority: int = 0
    metadata: bool = True
    preview_every: int = 0


class Worker(ABC):
    """Pops until it is stopped; `drain` lets it finish what it holds."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._stopping = False
        self._pop: asyncio.Future[bool] | None = None
        self._held: set[str] = set()

    async def run(self) -> None:
        """Pop and work until stopped. A job that fails is submitted as faulted; a horde that fails is tried again."""
        pause = BACK_OFF_S[0]
        while not self._stopping:
            self._pop = asyncio.ensure_future(self._serve_one())
            try:
                await self._pop
                pause = BACK_OFF_S[0]
            except asyncio.CancelledError:
                if not self._stopping:
                    raise
                return
            except (HordeError, OSError) as error:
                log.warning("%s: the horde refused: %s; trying again in %.0f s", self.name, error, pause)
                await self._wiring.pause(pause)  # type: ignore[misc]
                pause = min(pause * 2, BACK_OFF_S[1])

    def stop(self) -> None:
        """No more pops; a job in hand is finished unless `abandon` is called."""
        self._stopping = True
        if self._pop is not None and not self._held:
            self._pop.cancel()

    def abandon(self) -> None:
        """Give up the job in hand."""
        for job_id in list(self._held):
            self.stop_job(job_id)

    def stop_job(self, job_id: str) -> None:
        """Stop one job within a step, if this worker holds it."""
        if job_id in self._held:
            self._wiring.engine.cancel(job_id)

    @property
    @abstractmethod
    def name(self) -> str:
        """The worker's name at the horde."""

    @abstractmethod
    async def _serve_one(self) -> bool:
        """Pop once and do what came; False when nothing came."""


class ImageWorker(Worker):
    """Draws."""

    def __init__(self, wiring: Wiring, offer: ImagePop) -> None:
        super().__init__(wiring)
        self._offer = offer

    @property
    def name(self) -> str:
        return self._offer.name

    async def _serve_one(self) -> bool:
        job = await self._wiring.horde.pop_image(self._offer, wait=POP_WAIT_S)
        if job.id is None:
            return False
        self._held = set(job.ids)
        try:
            await self._work(job)
        finally:
            self._held = set()
        return True

    async def _work(self, job: ImageJob) -> None:
        horde = self._wiring.horde
        try:
            sources = await self._fetch_sources(job)
            ask = results.engine_image_job(
                job, sources, self._wiring.priority, preview_every=self._wiring.preview_every
            )
            made = await self._wiring.engine.generate(ask, self._wiring.progress)
        except Exception as error:
            _report(self.name, job.id, error)
            for job_id in job.ids:
                await horde.submit_image(results.image_fault(job_id))
            return
        assert isinstance(made, ImageResult)
        uploads = job.r2_uploads or ()
        for position, (job_id, url, picture) in enumerate(zip(job.ids, uploads, made.images, strict=True)):
            text = parameters(ask, picture) if self._wiring.metadata else ""
            await horde.upload(url, await asyncio.to_thread(results.encode_webp, picture, text))
            remarks = results.remarks_on(ask, sources, picture)
            await horde.submit_image(results.image_submit(job_id, picture, remarks, position, len(job.ids)))

    async def _fetch_sources(self, job: ImageJob) -> results.Sources:
        """The pictures to start from. Raises EngineError without the one that everything hangs on."""
        if job.source_image is None:
            return results.Sources()
        image = await self._fetch(job, job.source_image)
        if image is None:
            raise EngineError("The source image could not be fetched.")
        if job.source_mask is None:
            return results.Sources(image)
        mask = await self._fetch(job, job.source_mask)
        return results.Sources(image, mask or b"", () if mask else ("source_mask",))

    async def _fetch(self, job: ImageJob, where: str) -> bytes | None:
        """A picture by its link, or as base64, as old hordes send it; None when it cannot be had."""
        try:
            if ":" in where:  # which base64 has no letter for
                return await self._wiring.horde.download(where)
            return base64.b64decode(where, validate=True)
        except Exception as error:
            log.warning("%s: a source of job %s could not be fetched: %s", self.name, job.id, error)
            return None


class TextWorker(Worker):
    """Writes as many texts side by side as its offer has threads, and submits each as it is finished."""

    def __init__(self, wiring: Wiring, offer: TextPop) -> None:
        super().__init__(wiring)
        self._offer = offer
        self._room = asyncio.Semaphore(offer.threads)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def name(self) -> str:
        return self._offer.name

    async def run(self) -> None:
        """See Worker. Ends when what was popped is submitted."""
        try:
            await super().run()
            await asyncio.gather(*self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()

    def stop(self) -> None:
        self._stopping = True
        if self._pop is not None:
            self._pop.cancel()  # the jobs in hand are tasks of their own

    async def _serve_one(self) -> bool:
        await self._room.acquire()
        job = None
        try:
            job = await self._wiring.horde.pop_text(self._offer, wait=POP_WAIT_S)
        finally:
            if job is None or job.id is None:
                self._room.release()
        if job.id is None:
            return False
        self._held |= set(job.ids)
        task = asyncio.create_task(self._serve(job), name=f"text job {job.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _serve(self, job: TextJob) -> None:
        try:
            await asyncio.gather(*(self._work(job, job_id) for job_id in job.ids))
        except (HordeError, OSError) as error:
            log.warning("%s: the horde refused what job %s brought: %s", self.name, job.id, error)
        finally:
            self._held -= set(job.ids)
            self._room.release()

    async def _work(self, job: TextJob, job_id: str) -> None:
        horde = self._wiring.horde
        ask = results.engine_text_job(job, job_id, self._wiring.seed(), self._wiring.priority)
        try:
            made = await self._wiring.engine.generate(ask, self._wiring.progress)
        except Exception as error:
            _report(self.name, job_id, error)
            await horde.submit_text(results.text_fault(job_id))
            return
        assert isinstance(made, TextResult)
        await horde.submit_text(results.text_submit(job_id, made))


def _report(worker: str, job_id: str | None, error: Exception) -> None:
    """A failed job is the horde's to hand out again; the owner reads here why it failed."""
    if isinstance(error, JobCancelled):
        log.info("%s: job %s was cancelled", worker, job_id)
    elif isinstance(error, EngineError):
        log.error("%s: job %s failed: %s", worker, job_id, error)
    else:
        log.error("%s: job %s failed", worker, job_id, exc_info=error)
