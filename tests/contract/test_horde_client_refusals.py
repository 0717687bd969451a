"""The contract of HordeClient: each refusal is the same whatever the way to the horde."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hordenode.api.route import ApiSettings
from hordenode.client.base import HordeClient
from hordenode.client.faults import form_fault, image_fault, text_fault
from hordenode.config import LimitSettings
from hordenode.coordinator import janitor, worker_edits
from hordenode.coordinator.context import Caller
from hordenode.domain.house import Modes
from hordenode.protocol.alchemy import AlchemySubmit
from hordenode.protocol.errors import HordeError, PlainError
from hordenode.protocol.workers import WorkerModify
from tests.support.aio import run
from tests.support.journeys import webp
from tests.support.three_hordes import (
    ALCHEMY,
    FORMS_OFFER,
    IMAGE,
    IMAGE_OFFER,
    TEXT,
    TEXT_OFFER,
    UNKNOWN,
    WAYS,
    WRITING,
    World,
    drawn,
    popped_forms,
    popped_image,
    popped_text,
    same,
    told,
    written,
)


async def edit_worker(w: World, name: str, **change: Any) -> None:
    (row,) = await w.horde.rows(f"SELECT id, user_id FROM workers WHERE name = '{name}'")
    caller = Caller(user_id=row[1], client_agent="test", base_url="")
    await worker_edits.edit_worker(w.horde.co, caller, row[0], WorkerModify(**change))


def test_what_is_not_there(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        c = await w.of("asker")
        looks = (c.check, c.image_status, c.text_status, c.alchemy_status)
        for call in (*looks, c.cancel_image, c.cancel_text, c.cancel_alchemy):
            assert (await w.refused(call(UNKNOWN))).status == 404
        for submit in (
            c.submit_image(drawn(UNKNOWN)),
            c.submit_text(written(UNKNOWN)),
            c.submit_form(AlchemySubmit(id=UNKNOWN, result={"caption": "a"})),
            c.submit_image(image_fault(UNKNOWN)),
        ):
            assert (await w.refused(submit)).rc == "InvalidJobID"

    same(tmp_path, story)


async def every_pop_refused(w: World, client: HordeClient, rc: str) -> None:
    for pop in (client.pop_image(IMAGE_OFFER), client.pop_text(TEXT_OFFER), client.pop_alchemy(FORMS_OFFER)):
        assert (await w.refused(pop)).rc == rc


def test_a_wrong_key(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        job, text = await popped_image(w), await popped_text(w)
        nobody = await w.of("nobody")
        await every_pop_refused(w, nobody, "InvalidAPIKey")
        for call in (
            nobody.request_image(IMAGE),
            nobody.request_text(TEXT),
            nobody.request_alchemy(ALCHEMY),
            nobody.submit_image(drawn(job.id)),
            nobody.submit_text(written(text.id)),
        ):
            assert (await w.refused(call)).rc == "InvalidAPIKey"
        await w.refused(nobody.find_user())

    same(tmp_path, story)


def test_accounts_that_may_not_have_workers(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        await every_pop_refused(w, await w.of("anonymous"), "AnonForbiddenWorker")
        for name, fields, rc in (
            ("flagged", {"flagged": True}, "WorkerFlaggedMaintenance"),
            ("deleted", {"deleted": True}, "DeletedUser"),
        ):
            client = await w.of(name)
            await w.horde.change_user(w.accounts[name][0], **fields)
            await every_pop_refused(w, client, rc)

    same(tmp_path, story)


def test_offers_that_are_refused(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        worker, other = await w.of("worker"), await w.of("other")
        await worker.pop_image(IMAGE_OFFER)
        for pop, rc in (
            (other.pop_image(IMAGE_OFFER), "WrongCredentials"),
            (worker.pop_text(replace(TEXT_OFFER, name=IMAGE_OFFER.name)), "PolymorphicNameConflict"),
            (worker.pop_image(replace(IMAGE_OFFER, name="  ")), "BadRequest"),
            (worker.pop_image(replace(IMAGE_OFFER, priority_usernames=("nobody",))), "InvalidPriorityUsername"),
        ):
            assert (await w.refused(pop)).rc == rc

    same(tmp_path, story)


def test_a_worker_in_maintenance(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        worker = await w.of("worker")
        for pop in (worker.pop_image(IMAGE_OFFER), worker.pop_text(TEXT_OFFER), worker.pop_alchemy(FORMS_OFFER)):
            await pop
        for name in (IMAGE_OFFER.name, TEXT_OFFER.name, FORMS_OFFER.name):
            await edit_worker(w, name, maintenance=True)
        await every_pop_refused(w, worker, "WorkerMaintenance")
        await worker.request_text(TEXT)
        assert (await w.note(worker.pop_text(TEXT_OFFER))).id, "its owner's requests are served all the same"

    same(tmp_path, story)


def test_a_paused_worker(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        worker = await w.of("worker", moderator=True)
        await worker.pop_image(IMAGE_OFFER)
        await edit_worker(w, IMAGE_OFFER.name, paused=True)
        await (await w.of("asker")).request_image(IMAGE)
        assert (await w.note(worker.pop_image(IMAGE_OFFER))).id is None

    same(tmp_path, story)


def test_the_horde_is_closed(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        asker = await w.of("asker")
        w.horde.co.house.modes = Modes(maintenance=True)
        for call in (asker.request_image(IMAGE), asker.request_text(TEXT), asker.request_alchemy(ALCHEMY)):
            assert (await w.refused(call)).rc == "MaintenanceMode"
        w.horde.co.stop()
        for call in (asker.request_image(IMAGE), asker.request_text(TEXT)):
            error = await w.refused(call)
            assert (type(error), error.status, error.retry_after) == (PlainError, 503, 5)

    same(tmp_path, story)


def test_too_many_requests_of_a_user(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        asker = await w.of("asker", concurrency=1)
        await asker.request_text(TEXT)
        assert (await w.refused(asker.request_text(TEXT))).status == 429
        await asker.request_image(IMAGE)
        assert (await w.refused(asker.request_image(IMAGE))).status == 429

    same(tmp_path, story)


def test_requests_that_break_a_rule(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        asker = await w.of("asker")
        for call in (
            asker.request_image(replace(IMAGE, source_image="no picture")),
            asker.request_image(replace(IMAGE, style="no such style")),
            asker.request_image(replace(IMAGE, workers=("no such worker",))),
            asker.request_text(replace(TEXT, params=replace(WRITING, max_length=512, max_context_length=80))),
            asker.request_alchemy(replace(ALCHEMY, source_image="no picture")),
        ):
            await w.refused(call)
        assert all(note[1] for note in w.notes), "each has a code"

    same(tmp_path, story)


def test_jobs_that_are_handed_in_twice_too_late_or_by_others(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        worker, other = await w.of("worker"), await w.of("other")
        image, text, forms = await popped_image(w), await popped_text(w), await popped_forms(w)
        form = forms.forms[0]
        answer = AlchemySubmit(id=form.id, result={"caption": "a circle"})
        for submit in (
            other.submit_image(drawn(image.id)),
            other.submit_text(written(text.id)),
            other.submit_form(answer),
        ):
            assert (await w.refused(submit)).rc == "WrongCredentials"
        await worker.upload(image.r2_upload, webp())
        await w.note(worker.submit_image(drawn(image.id)))
        await w.note(worker.submit_text(written(text.id)))
        await w.note(worker.submit_form(answer))
        for submit in (
            worker.submit_image(drawn(image.id)),
            worker.submit_text(written(text.id)),
            worker.submit_form(answer),
        ):
            assert (await w.refused(submit)).rc == "DuplicateGen"
        image, text = await popped_image(w), await popped_text(w)
        w.horde.clock.advance(3600)
        await janitor.sweep_stale(w.horde.co)
        for submit in (worker.submit_image(drawn(image.id)), worker.submit_text(written(text.id))):
            assert (await w.refused(submit)).rc == "AbortedGen"

    same(tmp_path, story)


def test_faulted_jobs(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        worker = await w.of("worker")
        image, text, forms = await popped_image(w), await popped_text(w), await popped_forms(w)
        await w.note(worker.submit_image(image_fault(image.id)))
        await w.note(worker.submit_text(text_fault(text.id)))
        await w.note(worker.submit_form(form_fault(forms.forms[0].id)))
        assert (await w.refused(worker.submit_image(drawn(image.id)))).rc == "AbortedGen"
        await w.note(worker.submit_text(text_fault(text.id)))

    same(tmp_path, story)


def test_links(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        worker, job = await w.of("worker"), await popped_image(w)
        changed = job.r2_upload.replace("results/", "results/x")
        assert (await w.refused(worker.upload(changed, webp()))).status == 403
        assert (await w.refused(worker.upload(job.r2_upload, b"no picture"))).status == 400
        assert (await w.refused(worker.download(job.r2_upload))).status == 403
        await worker.upload(job.r2_upload, webp())
        await worker.submit_image(drawn(job.id))
        (row,) = await w.horde.rows("SELECT id FROM waiting_prompts")
        link = (await worker.image_status(row[0])).generations[0].img
        await w.horde.co.blobs.delete("results", f"{job.id}.webp")
        assert (await w.refused(worker.download(link))).status == 404
        w.horde.clock.advance(3600)
        assert (await w.refused(worker.download(link))).status == 403
        assert (await w.refused(worker.upload(job.r2_upload, webp()))).status == 403

    same(tmp_path, story)


def test_the_rate_limit_of_http_says_when_to_come_back(tmp_path: Path) -> None:
    """A limit of the server alone: whoever is in the process needs no protection from himself."""

    async def story(w: World) -> None:
        client = await w.of("asker")
        with pytest.raises(HordeError) as caught:
            for _ in range(10):
                await client.find_user()
        w.notes.append((type(caught.value), caught.value.rc, caught.value.status))
        assert caught.value.retry_after and caught.value.status == 429

    async def main() -> None:
        limited = ApiSettings(node_name="test:7001:0", limits=LimitSettings(per_key=3, exempt=()))
        notes = await told(tmp_path, WAYS[1:], story, limited)
        assert notes["asgi"] == notes["socket"]

    run(main())
