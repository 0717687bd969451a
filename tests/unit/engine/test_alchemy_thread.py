"""Forms of alchemy do not wait for pictures that take long."""

from __future__ import annotations

import asyncio
import io
import threading

import pytest
from PIL import Image

from hordenode.catalog import Catalog
from hordenode.config import EngineSettings
from hordenode.engine.backends import Report
from hordenode.engine.engine import Engine
from hordenode.engine.fake import FakeBackend
from hordenode.engine.jobs import AlchemyJob, AlchemyResult, ImageJob, Job, JobCancelled, Result
from tests.support.aio import run


class Slow(FakeBackend):
    """Pictures take until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.free = threading.Event(), threading.Event()

    def run(self, job: Job, report: Report) -> Result:
        if isinstance(job, ImageJob):
            self.begun.set()
            self.free.wait(30)
        return super().run(job, report)


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(out, "PNG")
    return out.getvalue()


def test_a_form_is_done_while_a_picture_is_drawn() -> None:
    async def main() -> None:
        backend = Slow()
        engine = Engine(Catalog(), EngineSettings(), backend)
        await engine.start()
        drawing = asyncio.create_task(engine.generate(ImageJob("picture", "fake image", "a", steps=1)))
        await asyncio.to_thread(backend.begun.wait)
        made = await engine.generate(AlchemyJob("form", "palette", png()))
        assert isinstance(made, AlchemyResult) and made.value == [{"color": "#ff0000", "share": 1.0}]
        assert not drawing.done()
        backend.free.set()
        await drawing
        await engine.close()

    run(main())


def test_a_waiting_form_can_be_cancelled() -> None:
    async def main() -> None:
        engine = Engine(Catalog(), EngineSettings(), FakeBackend(seconds=0.2))
        await engine.start()
        first = asyncio.create_task(engine.generate(AlchemyJob("first", "palette", png())))
        second = asyncio.create_task(engine.generate(AlchemyJob("second", "palette", png())))
        await asyncio.sleep(0)
        assert engine.cancel("second")
        with pytest.raises(JobCancelled):
            await second
        assert isinstance(await first, AlchemyResult)
        await engine.close()

    run(main())
