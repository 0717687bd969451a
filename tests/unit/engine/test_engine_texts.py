"""Texts side by side through the engine and through a worker, with a real graph."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from hordenode.catalog import Catalog, TextModel
from hordenode.config import EngineSettings
from hordenode.engine.engine import Engine
from hordenode.engine.jobs import EngineError, JobCancelled, Progress, TextJob, TextResult, UnknownModel
from hordenode.engine.onnx_backend import OnnxBackend
from tests.support.aio import run

TINY = Path(__file__).parents[2] / "numeric" / "goldens" / "text"
JOB = TextJob("job", "tiny", "the quick brown fox", max_length=40, max_context_length=512, temperature=1.0)


def engine(max_batch: int = 4) -> Engine:
    catalog = Catalog(text={"tiny": TextModel(name="tiny", path=TINY, context=512, max_batch=max_batch)})
    return Engine(catalog, EngineSettings(threads=1, providers=("cpu",)))


def test_texts_are_written_side_by_side() -> None:
    """Each is heard of before any is finished, and each is what it is alone."""

    async def story() -> None:
        writer = engine()
        await writer.start()
        heard: list[tuple[str, bool]] = []

        async def one(number: int) -> TextResult:
            job = replace(JOB, id=str(number), seed=number)
            made = await writer.generate(job, lambda progress: heard.append((progress.id, False)))
            heard.append((job.id, True))
            assert isinstance(made, TextResult)
            return made

        together = await asyncio.gather(*(one(number) for number in range(4)))
        first_end = next(at for at, (_, ended) in enumerate(heard) if ended)
        assert {name for name, _ in heard[:first_end]} == {"0", "1", "2", "3"}
        assert together == [await one(number) for number in range(4)]
        await writer.close()

    run(story())


def test_a_cancel_frees_the_slot() -> None:
    async def story() -> None:
        writer = engine(max_batch=1)
        await writer.start()
        begun = asyncio.Event()
        first = asyncio.create_task(
            writer.generate(replace(JOB, id="long", max_length=400), lambda progress: begun.set())
        )
        await begun.wait()
        second = asyncio.create_task(writer.generate(JOB))
        assert writer.cancel("long")
        with pytest.raises(JobCancelled):
            await first
        assert isinstance(await second, TextResult)
        assert not writer.cancel("long")
        again = await writer.generate(replace(JOB, id="long"))
        assert again.id == "long"
        await writer.close()

    run(story())


def test_one_that_cannot_be_done_does_not_hold_up_the_others() -> None:
    async def story() -> None:
        writer = engine()
        await writer.start()
        outcomes = await asyncio.gather(
            writer.generate(replace(JOB, id="1", model="none")),
            writer.generate(replace(JOB, id="2", rep_pen=-1.0)),
            writer.generate(replace(JOB, id="3")),
            return_exceptions=True,
        )
        assert isinstance(outcomes[0], UnknownModel)
        assert isinstance(outcomes[1], EngineError)
        assert isinstance(outcomes[2], TextResult)
        await writer.close()

    run(story())


def test_closing_ends_what_is_being_written() -> None:
    async def story() -> None:
        writer = engine()
        await writer.start()
        begun: asyncio.Queue[Progress] = asyncio.Queue()
        job = asyncio.create_task(writer.generate(replace(JOB, max_length=400), begun.put_nowait))
        await begun.get()
        await writer.close()
        with pytest.raises(JobCancelled):
            await job

    run(story())


def test_keys_and_values_count_and_short_memory_means_fewer_texts_at_once() -> None:
    """64 texts of 512 tokens take 16 MB, 16 take 4: beside 1 MB of weights 6 MB hold 16."""
    catalog = Catalog(text={"tiny": TextModel(name="tiny", path=TINY, context=512, max_batch=64)})
    backend = OnnxBackend(catalog, EngineSettings(threads=1, providers=("cpu",), memory_mb=6))
    made = backend.run(JOB, lambda progress: None)
    assert isinstance(made, TextResult)
    assert backend.texts.load(JOB).batch.scheduler.slots == 16
    backend.close()
