"""Our worker at a strict public horde (worker_protocol.md 1-4, 8): the shipped loop and client, another's horde."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from PIL import Image

from hordenode.catalog import Catalog
from hordenode.client.http import HttpHorde
from hordenode.config import EngineSettings, WorkerSettings
from hordenode.engine.backends import Report
from hordenode.engine.engine import Engine
from hordenode.engine.fake import FakeBackend
from hordenode.engine.jobs import EngineAway, ImageJob, Job, ModelInfo, Result
from hordenode.version import AGENT
from hordenode.worker.image import ImageWorker
from hordenode.worker.offers import image_offer, text_offer
from hordenode.worker.text import TextWorker
from hordenode.worker.worker import Wiring, Worker, WorkerRefused
from tests.support.aio import run
from tests.support.public_horde import KEY, PublicHorde

MODELS = (ModelInfo("image", "Deliberate"), ModelInfo("text", "org/Model-7B", context=2048))


@dataclass(slots=True)
class Served:
    """A worker at work. `pauses`: how long it rested each time, in seconds; no time passed meanwhile."""

    horde: PublicHorde
    worker: Worker[Any, Any]
    running: asyncio.Task[None]
    pauses: list[float] = field(default_factory=list)


@asynccontextmanager
async def served(
    kind: str, horde: PublicHorde, settings: WorkerSettings | None = None, backend: FakeBackend | None = None
) -> AsyncIterator[Served]:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    engine = Engine(Catalog(), EngineSettings(), backend or FakeBackend(MODELS, fail_on="broken"))
    await engine.start()
    transport = httpx.ASGITransport(app=horde.app)
    client = HttpHorde("http://horde.test", KEY, transport=transport, pause=lambda seconds: asyncio.sleep(0.001))
    wiring = Wiring(client, engine, lambda: 7, lambda progress: None, pause=pause)
    worker = make_worker(kind, wiring, engine, settings or WorkerSettings())
    running = asyncio.create_task(worker.run())
    try:
        yield Served(horde, worker, running, pauses)
    finally:
        worker.stop()
        await asyncio.gather(running, return_exceptions=True)
        await client.aclose()
        await engine.close()
    assert horde.breaches == []


def make_worker(kind: str, wiring: Wiring, engine: Engine, settings: WorkerSettings) -> Worker[Any, Any]:
    image = image_offer(engine.models(), settings, "painter", AGENT)
    text = text_offer(engine.models(), settings, "writer", AGENT)
    assert image is not None
    assert text is not None
    return ImageWorker(wiring, image) if kind == "image" else TextWorker(wiring, text)


def test_a_batch_is_uploaded_and_then_submitted_picture_by_picture() -> None:
    async def story() -> None:
        horde = PublicHorde()
        ids = horde.image_job(ids=3)
        async with served("image", horde):
            results = await horde.all_submitted(ids)
        assert [(each["state"], each["seed"]) for each in results] == [("ok", 2**32 - 1), ("ok", 0), ("ok", 1)]
        assert [each["gen_metadata"][-1] for each in results] == [
            {"type": "batch_index", "value": "see_ref", "ref": str(position)} for position in range(3)
        ]

    run(story())


class Counting(FakeBackend):
    """Notes the seeds of each run."""

    def __init__(self) -> None:
        super().__init__(MODELS)
        self.runs: list[tuple[int, ...]] = []

    def run(self, job: Job, report: Report) -> Result:
        if isinstance(job, ImageJob):
            self.runs.append(job.seeds)
        return super().run(job, report)


@pytest.mark.parametrize("kind", ["image", "text"])
def test_the_owner_says_how_many_are_asked_for(kind: str) -> None:
    async def story() -> None:
        horde = PublicHorde()
        ids = horde.image_job(ids=4) if kind == "image" else horde.text_job(ids=4)
        async with served(kind, horde, WorkerSettings(amount=4)):
            results = await horde.all_submitted(ids)
        assert [each["state"] for each in results] == ["ok"] * 4
        assert set(horde.amounts) == {4}

    run(story())


def test_a_batch_is_one_run_of_the_engine_and_each_picture_goes_to_the_link_of_its_id() -> None:
    async def story() -> None:
        horde, backend = PublicHorde(), Counting()
        ids = horde.image_job(ids=3, seed="7")
        async with served("image", horde, WorkerSettings(amount=3), backend):
            await horde.all_submitted(ids)
        assert backend.runs == [(7, 8, 9)]
        for job_id, seed in zip(ids, (7, 8, 9), strict=True):
            picture = Image.open(io.BytesIO(horde.given[job_id].uploaded))
            assert f"Seed: {seed}," in picture.getexif().get_ifd(0x8769)[0x9286].decode("utf-16-be", "ignore")

    run(story())


def test_a_horde_without_storage_gets_the_picture_itself() -> None:
    async def story() -> None:
        horde = PublicHorde(storage=False)
        ids = horde.image_job(ids=2)
        async with served("image", horde):
            assert [each["state"] for each in await horde.all_submitted(ids)] == ["ok", "ok"]

    run(story())


class Away(FakeBackend):
    """Is not there for the first two jobs."""

    def __init__(self) -> None:
        super().__init__(MODELS)
        self.missing = 2

    def run(self, job: Job, report: Report) -> Result:
        if self.missing:
            self.missing -= 1
            raise EngineAway("127.0.0.1:5001 cannot be reached")
        return super().run(job, report)


@pytest.mark.parametrize("kind", ["image", "text"])
def test_while_the_engine_is_not_there_no_job_is_asked_for(kind: str) -> None:
    async def story() -> None:
        horde = PublicHorde()
        ids = [(horde.image_job() if kind == "image" else horde.text_job())[0] for _ in range(3)]
        async with served(kind, horde, backend=Away()) as at:
            results = await horde.all_submitted(ids)
            assert [each["state"] for each in results] == ["faulted", "faulted", "ok"]
            assert len(at.pauses) == 2
            assert at.pauses[0] < at.pauses[1], "longer each time"

    run(story())


def test_a_text_is_handed_in_without_its_prompt() -> None:
    async def story() -> None:
        horde = PublicHorde()
        ids = horde.text_job(ids=2)
        async with served("text", horde):
            results = await horde.all_submitted(ids)
        assert [each["state"] for each in results] == ["ok", "ok"]
        assert all(each["generation"].split() and "Once" not in each["generation"] for each in results)

    run(story())


@pytest.mark.parametrize("kind", ["image", "text"])
def test_a_failed_job_is_submitted_as_faulted_for_every_id(kind: str) -> None:
    async def story() -> None:
        horde = PublicHorde()
        ids = horde.image_job(ids=2, prompt="broken") if kind == "image" else horde.text_job(ids=2, prompt="broken")
        async with served(kind, horde):
            results = await horde.all_submitted(ids)
        assert [each["state"] for each in results] == ["faulted", "faulted"]

    run(story())


def test_a_source_that_cannot_be_had_is_a_fault() -> None:
    async def story() -> None:
        horde = PublicHorde()
        ids = horde.image_job(denoising_strength=0.5)
        horde.waiting["generate"][0]["source_image"] = "http://horde.test/source.webp"
        async with served("image", horde):
            assert (await horde.all_submitted(ids))[0]["state"] == "faulted"

    run(story())


def test_an_upload_is_tried_again_before_the_submit() -> None:
    async def story() -> None:
        horde = PublicHorde()
        horde.upload_statuses.extend([500, 503, 500])
        ids = horde.image_job()
        async with served("image", horde) as at:
            assert (await horde.all_submitted(ids))[0]["state"] == "ok"
            assert len(at.pauses) == 3

    run(story())


REFUSED = [
    (401, "InvalidAPIKey", "does not know this API key"),
    (403, "WrongCredentials", "another name"),
    (403, "DeletedUser", "of this account"),
]


@pytest.mark.parametrize(("status", "rc", "advice"), REFUSED)
def test_a_worker_that_is_not_wanted_stops_and_says_why(status: int, rc: str, advice: str) -> None:
    async def story() -> None:
        horde = PublicHorde()
        horde.refusals.append((status, {"message": "No.", "rc": rc}, {}))
        async with served("image", horde) as at:
            with pytest.raises(WorkerRefused, match=advice):
                await at.running
        assert horde.pops == 1

    run(story())


LATER = [
    (403, {"message": "in maintenance mode", "rc": "WorkerMaintenance"}, {}, 30.0),
    (400, {"message": "we cannot accept workers serving these", "rc": "BadRequest"}, {}, 60.0),
    (403, {"message": "invite only", "rc": "WorkerInviteOnly"}, {}, 120.0),
    (429, {"message": "10 per 1 second"}, {"Retry-After": "3"}, 3.0),
    (502, {}, {}, 0.5),
]


@pytest.mark.parametrize(("status", "body", "headers", "least"), LATER)
def test_a_worker_that_is_put_off_comes_back_later(
    status: int, body: dict[str, Any], headers: dict[str, str], least: float
) -> None:
    async def story() -> None:
        horde = PublicHorde()
        horde.refusals.append((status, body, headers))
        ids = horde.image_job()
        async with served("image", horde) as at:
            assert (await horde.all_submitted(ids))[0]["state"] == "ok"
            assert least <= at.pauses[0]

    run(story())


def test_a_job_in_hand_is_finished_when_the_worker_stops() -> None:
    async def story() -> None:
        horde = PublicHorde()
        ids = horde.image_job(ids=4)
        async with served("image", horde) as at:
            async with horde.news:
                await horde.news.wait_for(lambda: ids[0] in horde.given)
            at.worker.stop()
            await at.running
        assert all(horde.given[each].submitted["state"] in ("ok", "faulted") for each in ids)

    run(story())
