"""A pop that nobody waits for any more: the job that it brings is handed back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hordenode.client import http, strays
from hordenode.client.base import Unreachable
from hordenode.client.faults import text_fault
from hordenode.client.http import HttpHorde
from hordenode.protocol.text import TextPop
from hordenode.server import HttpServer
from hordenode.version import AGENT
from tests.live.test_long_poll import began
from tests.support.aio import run
from tests.support.horde import ANONYMOUS, TEXT_REQUEST, open_horde
from tests.support.public_horde import KEY, PublicHorde

OFFER = TextPop(name="writer", models=("org/Model-7B",), bridge_agent=AGENT, max_length=80, max_context_length=2048)
LONG_S = 25.0


@asynccontextmanager
async def late_horde() -> AsyncIterator[tuple[PublicHorde, HttpHorde]]:
    """A horde on a socket that answers no pop until it is told to, and a client of it."""
    horde = PublicHorde()
    horde.open.clear()
    server = HttpServer(horde.app, "127.0.0.1", 0)
    client = HttpHorde(await server.start(), KEY)
    try:
        yield horde, client
    finally:
        await client.aclose()
        await server.stop()
    assert horde.breaches == []


@pytest.mark.parametrize("wait", [0.0, 30.0])
def test_a_job_that_comes_after_the_worker_stopped_is_submitted_as_faulted(wait: float) -> None:
    async def story() -> None:
        async with late_horde() as (horde, client):
            ids = horde.text_job(ids=2)
            pop = asyncio.create_task(client.pop_text(OFFER, wait=wait))
            await horde.popped(1)
            pop.cancel()
            with pytest.raises(asyncio.CancelledError):
                await pop
            horde.open.set()
            assert [each["state"] for each in await horde.all_submitted(ids)] == ["faulted", "faulted"]

    run(story())


def test_closing_waits_for_the_answer_and_hands_the_job_back() -> None:
    async def story() -> None:
        async with late_horde() as (horde, client):
            ids = horde.text_job()
            pop = asyncio.create_task(client.pop_text(OFFER))
            await horde.popped(1)
            pop.cancel()
            await asyncio.wait({pop})
            closing = asyncio.create_task(client.aclose())
            horde.open.set()
            await closing
            assert horde.given[ids[0]].submitted["state"] == "faulted"

    run(story())


def test_a_horde_that_is_slower_than_our_patience_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "READ_S", 0.05)

    async def story() -> None:
        async with late_horde() as (horde, client):
            ids = horde.text_job()
            with pytest.raises(Unreachable, match="has not answered"):
                await client.pop_text(OFFER)
            horde.open.set()
            assert (await horde.all_submitted(ids))[0]["state"] == "faulted"

    run(story())


def test_a_horde_that_never_answers_is_hung_up_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(strays, "LAST_WAIT_S", 0.05)

    async def story() -> None:
        async with late_horde() as (horde, client):
            pop = asyncio.create_task(client.pop_text(OFFER))
            await horde.popped(1)
            pop.cancel()
            await asyncio.wait({pop})
            await client.aclose()
            assert "was not answered" in caplog.text
            horde.open.set()

    run(story())


def test_a_long_poll_at_a_hordenode_ends_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_horde(tmp_path) as horde:
            server = HttpServer(horde.app, "127.0.0.1", 0)
            client = HttpHorde(await server.start(), await horde.worker_key())
            pop = asyncio.create_task(client.pop_text(OFFER, wait=LONG_S))
            await began(pop, lambda: len(horde.co.waiters))
            begun = time.monotonic()
            pop.cancel()
            await asyncio.wait({pop})
            await client.aclose()
            assert time.monotonic() - begun < LONG_S / 5
            assert not len(horde.co.waiters)
            await server.stop()

    run(story())


def test_a_job_on_its_way_to_a_worker_that_stops_is_never_lost(tmp_path: Path) -> None:
    """The request comes at each of many moments around the end of the pop."""

    async def story() -> None:
        async with open_horde(tmp_path) as horde:
            server = HttpServer(horde.app, "127.0.0.1", 0)
            url, key = await server.start(), await horde.worker_key()
            for turns in range(0, 24, 2):
                client = HttpHorde(url, key)
                offer = TextPop(name=f"writer {turns}", models=("model one",), max_length=512, max_context_length=4096)
                pop = asyncio.create_task(client.pop_text(offer, wait=LONG_S))
                await began(pop, lambda: len(horde.co.waiters))
                asked = asyncio.create_task(horde.ok("POST", "/generate/text/async", TEXT_REQUEST, key=ANONYMOUS))
                for _ in range(turns):
                    await asyncio.sleep(0)
                pop.cancel()
                await asyncio.wait({pop, asked})
                if not pop.cancelled() and (job_id := pop.result().id):
                    await client.submit_text(text_fault(job_id))
                await client.aclose()
                assert await horde.rows("SELECT id FROM jobs WHERE state = 'processing'") == []
                await horde.ok("DELETE", f"/generate/text/status/{asked.result()['id']}")
            await server.stop()

    run(story())
