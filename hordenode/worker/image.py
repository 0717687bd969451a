"""The image worker: draws. A finished picture is uploaded first and submitted after (worker_protocol.md 3)."""

from __future__ import annotations

import asyncio
import base64
import logging
from dataclasses import dataclass

from msgspec.structs import replace

from hordenode.client.faults import image_fault
from hordenode.engine.jobs import EngineError, ImageResult
from hordenode.engine.jobs import ImageJob as EngineJob
from hordenode.protocol.image import ImageJob, ImagePop
from hordenode.worker import results
from hordenode.worker.metadata import parameters
from hordenode.worker.worker import Wiring, Worker

log = logging.getLogger("hordenode.worker")


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was asked of the engine, and what it drew."""

    ask: EngineJob
    sources: results.Sources
    result: ImageResult


class ImageWorker(Worker[ImageJob, Drawn]):
    """One job at a time on the engine; a job may be several pictures, which are one batch there."""

    def __init__(self, wiring: Wiring, offer: ImagePop) -> None:
        super().__init__(wiring, offer.name, capacity=1)
        self._offer = offer

    async def _ask(self, wait: float) -> ImageJob:
        return await self._wiring.horde.pop_image(self._offer, wait=wait)

    async def _prepare(self, job: ImageJob) -> results.Sources:
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

    async def _make(self, job: ImageJob, prepared: results.Sources) -> Drawn:
        wiring = self._wiring
        ask = results.engine_image_job(
            job, prepared, wiring.priority, preview_every=wiring.preview_every, safe=not self._offer.nsfw
        )
        made = await self._generate(ask)
        assert isinstance(made, ImageResult)
        if len(made.images) != len(job.ids):
            raise EngineError(f"The engine drew {len(made.images)} pictures of {len(job.ids)}.")
        return Drawn(ask, prepared, made)

    async def _deliver(self, job: ImageJob, made: Drawn) -> None:
        await asyncio.gather(*(self._deliver_one(job, made, position) for position in range(len(job.ids))))

    async def _deliver_one(self, job: ImageJob, made: Drawn, position: int) -> None:
        """One of the pictures: ids, links and pictures are in the same order."""
        job_id, picture = job.ids[position], made.result.images[position]
        text = parameters(made.ask, picture) if self._wiring.metadata else ""
        webp = await asyncio.to_thread(results.encode_webp, picture, text)
        remarks = results.remarks_on(made.ask, made.sources, picture)
        submit = results.image_submit(job_id, picture, remarks, position, len(job.ids))
        links = job.r2_uploads or ((job.r2_upload,) if job.r2_upload else ())
        if position >= len(links):  # a horde without storage takes the picture itself
            submit = replace(submit, generation=base64.b64encode(webp).decode())
        elif not await self._hand_in(self._wiring.horde.upload, links[position], webp):
            submit = image_fault(job_id)
        await self._hand_in(self._wiring.horde.submit_image, submit)

    async def _fault(self, job: ImageJob) -> None:
        for job_id in job.ids:
            fault = image_fault(job_id)
            await self._hand_in(self._wiring.horde.submit_image, fault)
