"""The contract of HordeClient: each call has the same result whatever the way to the horde."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from hordenode.protocol.alchemy import AlchemySubmit
from hordenode.protocol.common import ImageGenMetadata
from tests.support.journeys import webp
from tests.support.three_hordes import (
    ALCHEMY,
    DRAWING,
    FORMS_OFFER,
    IMAGE,
    IMAGE_OFFER,
    TEXT,
    TEXT_OFFER,
    WRITING,
    World,
    drawn,
    same,
    written,
)


def test_a_picture_from_request_to_result(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        asker, worker = await w.of("asker"), await w.of("worker")
        request = replace(IMAGE, params=replace(DRAWING, n=2))
        await w.note(asker.request_image(replace(request, dry_run=True)))
        accepted = await w.note(asker.request_image(request))
        assert hasattr(accepted, "id")
        await w.note(asker.check(accepted.id))
        job = await w.note(worker.pop_image(replace(IMAGE_OFFER, amount=2)))
        assert len(job.ids) == len(job.r2_uploads or ()) == 2
        await w.note(asker.models("image"))
        await w.note(asker.workers("image"))
        for job_id, link in zip(job.ids, job.r2_uploads or (), strict=True):
            await w.note(worker.upload(link, webp()))
            metadata = (ImageGenMetadata(type="information", value="nsfw"),)
            await w.note(worker.submit_image(drawn(job_id, gen_metadata=metadata)))
        await w.note(asker.check(accepted.id))
        status = await w.note(asker.image_status(accepted.id))
        assert len(status.generations) == 2
        assert await w.note(asker.download(status.generations[0].img)) == webp()
        await w.note(worker.find_user())
        await w.note(asker.find_user())

    same(tmp_path, story)


def test_a_text_from_request_to_result(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        asker, worker = await w.of("asker"), await w.of("worker")
        await w.note(asker.request_text(replace(TEXT, dry_run=True)))
        accepted = await w.note(asker.request_text(replace(TEXT, params=replace(WRITING, n=2))))
        assert hasattr(accepted, "id")
        job = await w.note(worker.pop_text(replace(TEXT_OFFER, amount=2)))
        assert len(job.ids) == 2
        await w.note(asker.models("text"))
        await w.note(asker.workers("text"))
        for job_id in job.ids:
            await w.note(worker.submit_text(written(job_id)))
        assert (await w.note(asker.check(accepted.id))).done
        assert len((await w.note(asker.text_status(accepted.id))).generations) == 2

    same(tmp_path, story)


def test_alchemy_from_request_to_result(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        asker, worker = await w.of("asker"), await w.of("worker")
        accepted = await w.note(asker.request_alchemy(ALCHEMY))
        job = await w.note(worker.pop_alchemy(FORMS_OFFER))
        caption, faces = job.forms or ()
        await w.note(worker.download(caption.source_image))
        await w.note(worker.submit_form(AlchemySubmit(id=caption.id, result={"caption": "a circle"})))
        await w.note(worker.upload(str(faces.r2_upload), webp()))
        await w.note(worker.submit_form(AlchemySubmit(id=faces.id, result={"GFPGAN": "R2"})))
        status = await w.note(asker.alchemy_status(accepted.id))
        assert [form.state for form in status.forms] == ["done", "done"]
        assert (status.forms[1].result or {})["GFPGAN"]
        await w.note(asker.download((status.forms[1].result or {})["GFPGAN"]))

    same(tmp_path, story)


def test_cancelling(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        asker = await w.of("asker", concurrency=500)
        for busy in (False, True):
            image = (await asker.request_image(IMAGE)).id  # type: ignore[union-attr]
            text = (await asker.request_text(TEXT)).id  # type: ignore[union-attr]
            forms = (await asker.request_alchemy(ALCHEMY)).id
            worker = await w.of("worker")
            if busy:
                job = await worker.pop_image(IMAGE_OFFER)
                await worker.pop_text(TEXT_OFFER)
                await worker.pop_alchemy(FORMS_OFFER)
            await w.note(asker.cancel_image(image))
            await w.note(asker.cancel_text(text))
            await w.note(asker.cancel_alchemy(forms))
            await w.note(asker.check(image))
            await w.note(asker.check(text))
        await w.note(worker.submit_image(drawn(job.ids[0])))

    same(tmp_path, story)


def test_nothing_to_do(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        worker = await w.of("worker")
        await (await w.of("asker")).request_image(replace(IMAGE, models=("another model",)))
        for job in (
            await w.note(worker.pop_image(IMAGE_OFFER)),
            await w.note(worker.pop_text(TEXT_OFFER)),
            await w.note(worker.pop_alchemy(FORMS_OFFER)),
        ):
            assert job.id is None
        await w.note(worker.pop_image(IMAGE_OFFER, wait=0.01))

    same(tmp_path, story)


def test_waiting_for_a_job_and_for_its_end(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        asker, worker = await w.of("asker"), await w.of("worker")
        popping = asyncio.create_task(worker.pop_text(TEXT_OFFER, wait=30))
        accepted = await asker.request_text(TEXT)
        assert hasattr(accepted, "id")
        job = await w.note(popping)
        checking = asyncio.create_task(asker.check(accepted.id, wait=30))
        await w.note(worker.submit_text(written(job.ids[0])))
        while not (check := await checking).done:
            checking = asyncio.create_task(asker.check(accepted.id, wait=30))
        await w.note(as_is(check))

    same(tmp_path, story)


async def as_is(value: Any) -> Any:
    return value
