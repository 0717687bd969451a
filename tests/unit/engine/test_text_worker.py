"""A text worker holds several jobs of a real horde and submits each when it is finished."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from msgspec import UNSET

from hordenode.catalog import Catalog, TextModel
from hordenode.config import EngineSettings, WorkerSettings
from hordenode.coordinator.local import LocalHorde
from hordenode.engine.engine import Engine
from hordenode.ops.events import RequestDone
from hordenode.protocol.common import RequestAccepted
from hordenode.protocol.text import TextJob, TextJobPayload, TextParams, TextRequest
from hordenode.worker import results
from hordenode.worker.offers import text_offer
from hordenode.worker.text import TextWorker
from hordenode.worker.worker import Wiring
from tests.support.aio import run
from tests.support.horde import open_horde

TINY = Path(__file__).parents[2] / "numeric" / "goldens" / "text"
OWNER = "owner"
AGENT = "test:1:here"


def test_a_short_text_overtakes_a_long_one(tmp_path: Path) -> None:
    async def story() -> None:
        catalog = Catalog(text={"tiny": TextModel(name="tiny", path=TINY, context=512, max_batch=2)})
        engine = Engine(catalog, EngineSettings(threads=1, providers=("cpu",)))
        await engine.start()
        async with open_horde(tmp_path / "horde") as horde:
            await horde.worker_key()
            local = LocalHorde(horde.co, 1, AGENT)
            offer = text_offer(engine.models(), WorkerSettings(), "writer", AGENT)
            assert offer is not None
            assert offer.threads == 2
            worker = TextWorker(Wiring(local, engine, lambda: 7, lambda progress: None), offer)

            async def request(length: int) -> str:
                params = TextParams(max_length=length, max_context_length=512, use_default_badwordsids=True)
                accepted = await local.request_text(TextRequest(prompt="the quick", params=params))
                assert isinstance(accepted, RequestAccepted)
                return accepted.id

            with horde.bus.subscribe(RequestDone) as ends:
                long = await request(480)
                short = await request(16)
                # Both wait before the worker comes, or a slow disk could keep the short one back for as long as the
                # long one takes.
                running = asyncio.create_task(worker.run())
                first = await ends.next()
                assert isinstance(first, RequestDone)
                assert first.id == short
                worker.stop()
                await running
                assert (await local.check(long)).done
            for each in (long, short):
                assert (await local.text_status(each)).generations[0].state == "ok"
        await engine.close()

    run(story())


def test_every_parameter_reaches_the_engine() -> None:
    """Named alike on both sides, so what the wire gains and the engine has not is seen here."""
    given: dict[str, Any] = {
        "temperature": 0.5,
        "dynatemp_range": 0.25,
        "dynatemp_exponent": 2.0,
        "smoothing_factor": 0.3,
        "top_k": 3,
        "top_p": 0.9,
        "top_a": 0.1,
        "min_p": 0.05,
        "tfs": 0.8,
        "typical": 0.7,
        "rep_pen": 1.2,
        "rep_pen_range": 64,
        "rep_pen_slope": 0.6,
        "sampler_order": (5, 0, 1, 2, 3, 4, 6),
        "frmtadsnsp": True,
        "frmtrmblln": True,
        "frmtrmspch": True,
        "frmttriminc": True,
        "singleline": True,
        "use_default_badwordsids": True,
    }
    elsewhere = {"prompt", "n", "max_length", "max_context_length", "stop_sequence", "hordenode"}
    assert {*given, *elsewhere} == set(TextJobPayload.__struct_fields__)
    job = TextJob(id="a", ids=("a",), model="m", payload=TextJobPayload(prompt="p", stop_sequence=("x",), **given))
    made = results.engine_text_job(job, "a", 5, 1)
    assert {name: getattr(made, name) for name in given} == given
    assert (made.stop_sequences, made.seed, made.priority) == (("x",), 5, 1)
    bare = results.engine_text_job(TextJob(payload=TextJobPayload(temperature=UNSET)), "a", 0, 0)
    assert bare.temperature == 0.7
