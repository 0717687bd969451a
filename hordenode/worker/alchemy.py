"""The alchemist: does forms, such as captions and upscaling, with pictures that clients send (worker_protocol.md 5)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hordenode.client.faults import form_fault
from hordenode.engine.jobs import AlchemyResult, EngineError
from hordenode.protocol.alchemy import AlchemyJob, AlchemyJobForm, AlchemyPop
from hordenode.worker import results
from hordenode.worker.worker import Wiring, Worker


@dataclass(frozen=True, slots=True)
class Done:
    """A form and what came of it; no result when it failed."""

    form: AlchemyJobForm
    result: AlchemyResult | None


class AlchemyWorker(Worker[AlchemyJob, list[Done]]):
    """The forms of a pop one after the other; one that fails does not take the others along."""

    def __init__(self, wiring: Wiring, offer: AlchemyPop) -> None:
        super().__init__(wiring, offer.name, capacity=offer.threads)
        self._offer = offer

    async def _ask(self, wait: float) -> AlchemyJob:
        return await self._wiring.horde.pop_alchemy(self._offer, wait=wait)

    async def _prepare(self, job: AlchemyJob) -> dict[str, bytes | Exception]:
        """The pictures by their links, or why one cannot be had."""
        links = list(dict.fromkeys(form.source_image for form in job.forms or ()))
        return dict(zip(links, await asyncio.gather(*map(self._fetched, links)), strict=True))

    async def _fetched(self, link: str) -> bytes | Exception:
        try:
            return await self._wiring.horde.download(link)
        except Exception as error:
            return EngineError(f"The source image could not be fetched: {error}")

    async def _make(self, job: AlchemyJob, prepared: dict[str, bytes | Exception]) -> list[Done]:
        return [Done(form, await self._made_form(form, prepared[form.source_image])) for form in job.forms or ()]

    async def _made_form(self, form: AlchemyJobForm, image: bytes | Exception) -> AlchemyResult | None:
        wiring = self._wiring
        try:
            if isinstance(image, Exception):
                raise image
            ask = results.engine_alchemy_job(form, image, wiring.priority)
            made = await self._generate(ask)
        except Exception as error:
            self._failed(form.id, error)
            return None
        assert isinstance(made, AlchemyResult)
        return made

    async def _deliver(self, job: AlchemyJob, made: list[Done]) -> None:
        for done in made:
            submit = form_fault(done.form.id)
            if done.result is not None and await self._uploaded(done.form, done.result):
                submit = results.form_submit(done.form, done.result)
            await self._hand_in(self._wiring.horde.submit_form, submit)

    async def _uploaded(self, form: AlchemyJobForm, result: AlchemyResult) -> bool:
        """Bring the picture, if the form made one, to where it is wanted."""
        if result.picture is None:
            return True
        webp = await asyncio.to_thread(results.encode_webp, result.picture)
        return bool(form.r2_upload) and await self._hand_in(self._wiring.horde.upload, str(form.r2_upload), webp)

    async def _fault(self, job: AlchemyJob) -> None:
        await self._deliver(job, [Done(form, None) for form in job.forms or ()])
