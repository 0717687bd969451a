"""The text worker: writes as many texts side by side as its offer has threads (worker_protocol.md 4)."""

from __future__ import annotations

import asyncio

from hordenode.client.faults import text_fault
from hordenode.engine.jobs import TextResult
from hordenode.protocol.text import TextJob, TextPop
from hordenode.worker import results
from hordenode.worker.worker import Wiring, Worker


class TextWorker(Worker[TextJob, list[TextResult | None]]):
    """A job is one prompt, written once for each of its ids; one that fails does not take the others along."""

    def __init__(self, wiring: Wiring, offer: TextPop) -> None:
        super().__init__(wiring, offer.name, capacity=offer.threads)
        self._offer = offer

    async def _ask(self, wait: float) -> TextJob:
        return await self._wiring.horde.pop_text(self._offer, wait=wait)

    async def _prepare(self, job: TextJob) -> None:
        """A prompt is all there is."""

    async def _make(self, job: TextJob, prepared: None) -> list[TextResult | None]:
        return list(await asyncio.gather(*(self._write(job, job_id) for job_id in job.ids)))

    async def _write(self, job: TextJob, job_id: str) -> TextResult | None:
        try:
            ask = results.engine_text_job(job, job_id, self._wiring.seed(), self._wiring.priority)
            made = await self._generate(ask)
        except Exception as error:
            self._failed(job_id, error)
            return None
        assert isinstance(made, TextResult)
        return made

    async def _deliver(self, job: TextJob, made: list[TextResult | None]) -> None:
        for job_id, text in zip(job.ids, made, strict=True):
            submit = text_fault(job_id) if text is None else results.text_submit(job_id, text)
            await self._hand_in(self._wiring.horde.submit_text, submit)

    async def _fault(self, job: TextJob) -> None:
        await self._deliver(job, [None] * len(job.ids))
