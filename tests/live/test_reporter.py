"""A worker elsewhere tells what its jobs do: little traffic, nothing lost, and no trouble with other hordes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx

from hordenode.client.http import HttpHorde
from hordenode.engine.jobs import Likely, Picture, Progress, TokenLikelihood
from hordenode.worker.reporter import Reporter
from tests.live.follow import follow
from tests.support.aio import run
from tests.support.horde import ANONYMOUS, BASE, TEXT_POP, TEXT_REQUEST, open_horde


class Pauses:
    """Lets the reporter go on when it is told to."""

    def __init__(self) -> None:
        self._go = asyncio.Semaphore(0)
        self.began = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.began.set()
        await self._go.acquire()

    async def next(self) -> None:
        await self.began.wait()
        self.began.clear()
        self._go.release()


def test_tokens_reach_the_followers_in_few_reports(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            request = (await horde.ok("POST", "/generate/text/async", TEXT_REQUEST, key=ANONYMOUS))["id"]
            job = (await horde.ok("POST", "/generate/text/pop", TEXT_POP, key=key))["id"]
            remote = HttpHorde(BASE, key, transport=httpx.ASGITransport(app=horde.app))
            pauses = Pauses()
            report = Reporter(remote, pauses)
            async with follow(horde, request=request) as follower:
                await follower.next()
                for step in range(1, 41):
                    report(Progress(job, step, 80, f"{step} "))
                first = await follower.next()
                for step in range(41, 81):
                    told = TokenLikelihood(Likely(step, f"{step} ", -0.5), ())
                    report(Progress(job, step, 80, f"{step} ", preview=Picture(8, 8, bytes(192), 0), logprobs=told))
                await pauses.next()
                second = await follower.next()
                await pauses.next()
            text = first.data["text"] + second.data["text"]
            assert text.split() == [str(step) for step in range(1, 81)], "two reports for eighty tokens"
            assert (first.data["step"], second.data["step"]) == (40, 80) and second.data["preview"]
            assert [each["token"] for each in second.data["logprobs"]] == list(range(41, 81))
            assert "logprobs" not in first.data
            report(Progress("gone", 1, 2, "x"))  # a job that is over: nothing happens
            await pauses.next()
            await remote.aclose()

    run(main())


def test_a_horde_that_takes_no_reports_is_asked_once() -> None:
    asked = []

    def other(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(404, json={"message": "Not found"})

    async def main() -> None:
        remote = HttpHorde("http://other.test", transport=httpx.MockTransport(other))
        pauses = Pauses()
        report = Reporter(remote, pauses)
        report(Progress("job", 1, 2, "x"))
        await pauses.next()
        report(Progress("job", 2, 2, "y"))
        await remote.aclose()
        assert asked == ["/api/node/v1/jobs/job/progress"]

    run(main())
