"""The alchemist on a real coordinator, called in the process and over HTTP: the same request, the same answers."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from PIL import Image

from hordenode.catalog import Catalog
from hordenode.client.base import HordeClient
from hordenode.client.http import HttpHorde
from hordenode.config import EngineSettings, WorkerSettings
from hordenode.coordinator.local import LocalHorde
from hordenode.engine.engine import Engine
from hordenode.engine.fake import FakeBackend, fake_backend
from hordenode.engine.jobs import ModelInfo
from hordenode.ops.events import RequestDone
from hordenode.protocol.alchemy import AlchemyForm, AlchemyRequest, AlchemyStatus
from hordenode.protocol.errors import HordeError
from hordenode.worker.alchemy import AlchemyWorker
from hordenode.worker.offers import alchemy_offer
from hordenode.worker.worker import Wiring
from tests.support.aio import run
from tests.support.horde import BASE, Horde, open_horde

AGENT = "test:1:here"
SETTINGS = EngineSettings(threads=1)


def picture() -> str:
    out = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def ask(*forms: str) -> AlchemyRequest:
    return AlchemyRequest(source_image=picture(), forms=tuple(AlchemyForm(name=form) for form in forms))  # type: ignore[arg-type]


@asynccontextmanager
async def serving(horde: Horde, client: HordeClient, backend: FakeBackend) -> AsyncIterator[AlchemyWorker]:
    engine = Engine(Catalog(), SETTINGS, backend)
    await engine.start()
    offer = alchemy_offer(engine.models(), WorkerSettings(), "alchemist", AGENT)
    assert offer is not None and len(offer.forms) == 24
    worker = AlchemyWorker(Wiring(client, engine, lambda: 7, lambda progress: None), offer)
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await running
        await engine.close()


async def client_of(horde: Horde, over_http: bool) -> HordeClient:
    key = await horde.worker_key()
    if not over_http:
        return LocalHorde(horde.co, 1, AGENT)
    return HttpHorde(BASE, key, client_agent=AGENT, transport=httpx.ASGITransport(app=horde.app))


async def finished(horde: Horde, client: HordeClient, request: AlchemyRequest) -> AlchemyStatus:
    with horde.bus.subscribe(RequestDone) as ends:
        accepted = await client.request_alchemy(request)
        await ends.next()
        return await client.alchemy_status(accepted.id)


@pytest.mark.parametrize("over_http", [False, True], ids=["in process", "over HTTP"])
def test_forms_are_done_and_pictures_uploaded(tmp_path: Path, over_http: bool) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            client = await client_of(horde, over_http)
            async with serving(horde, client, fake_backend(Catalog(), SETTINGS)):
                status = await finished(horde, client, ask("caption", "palette", "RealESRGAN_x2plus"))
                assert status.state == "done"
                caption, colours, larger = (form.result for form in status.forms)
                assert caption == {"caption": "a picture"}
                assert colours == {"palette": [{"color": "#ff0000", "share": 1.0}]}
                assert isinstance(larger, dict)
                made = Image.open(io.BytesIO(await client.download(larger["RealESRGAN_x2plus"])))
                assert (made.format, made.size) == ("WEBP", (60, 40))
            await client.aclose()

    run(main())


@pytest.mark.parametrize("over_http", [False, True], ids=["in process", "over HTTP"])
def test_cancelling_and_unknown_requests(tmp_path: Path, over_http: bool) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            client = await client_of(horde, over_http)
            accepted = await client.request_alchemy(ask("caption"))
            assert accepted.message
            assert (await client.cancel_alchemy(accepted.id)).forms[0].state == "cancelled"
            for call in (client.alchemy_status, client.cancel_alchemy):
                with pytest.raises(HordeError) as refused:
                    await call("00000000-0000-4000-8000-000000000000")
                assert refused.value.rc == "RequestNotFound"
            await client.aclose()

    run(main())


def test_a_form_that_fails_is_given_up_after_four_attempts_and_the_others_are_done(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            client = await client_of(horde, over_http=False)
            backend = fake_backend(Catalog(), SETTINGS)
            failing = FakeBackend(backend.models(), fail_on="caption")
            async with serving(horde, client, failing):
                status = await finished(horde, client, ask("caption", "palette"))
                assert [form.state for form in status.forms] == ["faulted", "done"]
                assert status.state == "partial"

    run(main())


def test_the_owner_chooses_forms_and_sizes() -> None:
    models = fake_backend(Catalog(), SETTINGS).models()
    offer = alchemy_offer(models, WorkerSettings(forms=("palette", "nothing"), max_tiles=4), "a", AGENT)
    assert offer is not None and (offer.forms, offer.max_tiles) == (("palette",), 4)
    assert alchemy_offer(models, WorkerSettings(forms=("nothing",)), "a", AGENT) is None


def test_forms_of_our_own_go_to_other_hordes_only_where_their_owner_says_so() -> None:
    models = fake_backend(Catalog(), SETTINGS).models()
    offer = alchemy_offer(models, WorkerSettings(), "a", AGENT, abroad=True)
    assert offer is not None and "hordenode_x2" not in offer.forms and "palette" in offer.forms
    demo = [ModelInfo("alchemy", "caption", abroad=False), ModelInfo("alchemy", "palette")]
    for abroad, forms in ((True, ("palette",)), (False, ("caption", "palette"))):
        offer = alchemy_offer(demo, WorkerSettings(), "a", AGENT, abroad=abroad)
        assert offer is not None and offer.forms == forms
    chosen = alchemy_offer(models, WorkerSettings(forms=("hordenode_x2",)), "a", AGENT, abroad=True)
    assert chosen is not None and chosen.forms == ("hordenode_x2",)
