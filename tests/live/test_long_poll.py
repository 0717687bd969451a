"""`?wait=`: the answer comes with the change, not with the next poll; waiting costs nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from hordenode.coordinator import pops
from hordenode.domain.entities import Kind
from tests.contract.schema import validate
from tests.live.follow import Follower
from tests.support.aio import run
from tests.support.horde import ANONYMOUS, IMAGE_POP, IMAGE_REQUEST, TEXT_POP, TEXT_REQUEST, Horde, open_horde

LONG = 20  # seconds: what a test that waits for something lost takes


async def post(horde: Horde, **change: Any) -> str:
    return str((await horde.ok("POST", "/generate/text/async", TEXT_REQUEST | change, key=ANONYMOUS))["id"])


async def began(task: asyncio.Task[Any], ready: Any) -> None:
    """Let others run until the task waits."""
    while not ready():
        assert not task.done(), task.result()
        await asyncio.sleep(0)


def start(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    return asyncio.create_task(coroutine)


def test_check_and_status_answer_with_each_change(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            request = (await horde.ok("POST", "/generate/async", IMAGE_REQUEST, key=ANONYMOUS))["id"]
            waiting = start(horde.call("GET", f"/generate/check/{request}?wait={LONG}"))
            await began(waiting, lambda: horde.co.doorbell.listeners(request))
            job = await horde.ok("POST", "/generate/pop", IMAGE_POP, key=key)
            answer = (await waiting).json()
            validate("GET /generate/check/{id}", 200, answer)
            assert (answer["processing"], answer["done"]) == (1, False)
            waiting = start(horde.call("GET", f"/generate/status/{request}?wait={LONG}"))
            await began(waiting, lambda: horde.co.doorbell.listeners(request))
            await horde.ok("POST", "/generate/submit", {"id": job["id"], "generation": "R2", "seed": 1}, key=key)
            answer = (await waiting).json()
            validate("GET /generate/status/{id}", 200, answer)
            assert answer["done"] and len(answer["generations"]) == 1
            assert (await horde.ok("GET", f"/generate/check/{request}?wait={LONG}"))["done"], "done: at once"

    run(main())


def test_a_fault_a_cancel_and_an_expiry_are_changes(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            request = await post(horde)
            job = (await horde.ok("POST", "/generate/text/pop", TEXT_POP, key=key))["id"]
            path = f"/generate/text/status/{request}"
            waiting = start(horde.call("GET", f"{path}?wait={LONG}"))
            await began(waiting, lambda: horde.co.doorbell.listeners(request))
            await horde.ok("POST", "/generate/text/submit", {"id": job, "generation": "", "state": "faulted"}, key=key)
            assert (await waiting).json()["restarted"] == 1
            waiting = start(horde.call("GET", f"{path}?wait={LONG}"))
            await began(waiting, lambda: horde.co.doorbell.listeners(request))
            await horde.ok("DELETE", path)
            assert (await waiting).json()["done"]

    run(main())


def test_patience_ends_and_bad_patience_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key, request = await horde.worker_key(), await post(horde, models=["nobody's"])
            assert not (await horde.ok("GET", f"/generate/text/status/{request}?wait=0.02"))["done"]
            empty = await horde.ok("POST", "/generate/text/pop?wait=0.02", TEXT_POP, key=key)
            validate("POST /generate/text/pop", 200, empty)
            assert empty["id"] is None and empty["skipped"] == {"models": 1}
            for wait in ("-1", "soon", "nan"):
                answer = await horde.call("GET", f"/generate/text/status/{request}?wait={wait}")
                assert answer.status_code == 400 and "wait" in answer.json()["errors"], wait
            assert (await horde.call("GET", f"/generate/text/status/nonsense?wait={LONG}")).status_code == 404

    run(main())


@pytest.mark.parametrize(
    ("kind", "request_body", "offer"), [("", IMAGE_REQUEST, IMAGE_POP), ("/text", TEXT_REQUEST, TEXT_POP)]
)
def test_a_waiting_worker_gets_the_job_at_once(
    tmp_path: Path, kind: str, request_body: dict[str, Any], offer: dict[str, Any]
) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            popping = start(horde.call("POST", f"/generate{kind}/pop?wait={LONG}", offer, key=key))
            await began(popping, lambda: len(horde.co.waiters))
            await horde.ok("POST", f"/generate{kind}/async", request_body, key=ANONYMOUS)
            job = (await popping).json()
            validate(f"POST /generate{kind}/pop", 200, job)
            assert job["id"] is not None
            assert len(horde.co.waiters) == 0

    run(main())


def test_only_a_worker_that_can_do_it_is_woken_and_only_one_per_job(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.user(trusted=True, moderator=True)
            looks: list[str] = []

            async def worker(name: str, model: str) -> Any:
                offer = TEXT_POP | {"name": name, "models": [model]}
                job = (await horde.call("POST", f"/generate/text/pop?wait={LONG}", offer, key=key)).json()
                looks.append(name)
                return job

            names = [("able", "model one")] * 5 + [("unable", "model two")] * 5
            crowd: list[asyncio.Task[Any]] = []
            for name, model in names:
                crowd.append(start(worker(f"{name} {len(crowd) % 5}", model)))
                await began(crowd[-1], lambda: len(horde.co.presence.everyone()) == len(crowd))
            able, unable = crowd[:5], crowd[5:]
            await post(horde, params={"max_length": 80, "n": 2})
            await asyncio.gather(*able[:2])
            assert looks == ["able 0", "able 1"], "those that waited longest"
            assert len(horde.co.waiters) == 8
            assert horde.co.waiters.woken == 2, "nobody else looked"
            await post(horde, models=["model two"])
            assert (await unable[0])["id"]
            horde.co.stop()
            assert [job["id"] for job in await asyncio.gather(*able[2:], *unable[1:])] == [None] * 7

    run(main())


def test_a_job_goes_to_the_next_worker_when_the_one_woken_may_not_have_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            picky = TEXT_POP | {"name": "picky", "require_upfront_kudos": True}
            first = start(horde.call("POST", f"/generate/text/pop?wait={LONG}", picky, key=key))
            await began(first, lambda: len(horde.co.waiters) == 1)
            second = start(horde.call("POST", f"/generate/text/pop?wait={LONG}", TEXT_POP, key=key))
            await began(second, lambda: len(horde.co.waiters) == 2)
            await post(horde)
            assert (await second).json()["id"] is not None
            assert not first.done()
            horde.co.stop()
            assert (await first).json()["id"] is None

    run(main())


def test_a_worker_that_hung_up_gets_nothing_and_keeps_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key, request = await horde.worker_key(), await post(horde)
            looking = start(_pop(horde, key))
            await asyncio.sleep(0)
            await asyncio.sleep(0)  # its write is queued
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            check = await horde.ok("GET", f"/generate/text/status/{request}")
            assert (check["waiting"], check["processing"], check["restarted"]) == (1, 0, 0)
            assert (await horde.ok("POST", "/generate/text/pop", TEXT_POP, key=key))["id"] is not None

    run(main())


async def _pop(horde: Horde, key: str) -> object:
    from hordenode.coordinator.context import Caller
    from hordenode.protocol.text import TextPop

    body = TextPop(name="writer", models=("model one",), max_length=512, max_context_length=4096)
    return await pops.pop_text(horde.co, Caller(apikey=key), body, LONG)


def test_a_caller_who_hangs_up_is_not_waited_for(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            request = await post(horde)
            follower = Follower()
            scope: dict[str, Any] = {
                "type": "http",
                "method": "GET",
                "path": f"/api/v2/generate/text/status/{request}",
                "query_string": f"wait={LONG}".encode(),
                "headers": [],
                "client": ("127.0.0.1", 1),
                "server": ("node", 1),
            }
            task = start(horde.app(scope, follower.receive, follower.send))
            await began(task, lambda: horde.co.doorbell.listeners(request))
            follower.gone.set()
            await task
            assert follower.status == 0 and not horde.co.doorbell.listeners(request)

    run(main())


def test_a_thousand_waiting_workers_cost_a_request_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            await horde.ok("POST", "/generate/text/pop", TEXT_POP | {"models": ["nobody's"]}, key=key)
            judge = horde.co.presence.everyone()[0].judge

            async def trip() -> float:
                before = time.perf_counter()
                await post(horde)
                took = time.perf_counter() - before
                job = (await horde.ok("POST", "/generate/text/pop", TEXT_POP, key=key))["id"]
                await horde.ok("POST", "/generate/text/submit", {"id": job, "generation": "x"}, key=key)
                return took

            alone = sorted([await trip() for _ in range(30)])
            crowd = [start(_wait(horde, judge)) for _ in range(1000)]
            await began(crowd[-1], lambda: len(horde.co.waiters) == 1000)
            among = sorted([await trip() for _ in range(30)])
            assert horde.co.waiters.woken == 0, "no crowd runs to the door"
            assert among[15] < alone[15] * 3 + 0.002
            horde.co.stop()
            await asyncio.gather(*crowd)

    run(main())


async def _wait(horde: Horde, judge: Any) -> None:
    """A worker that can do nothing of what comes: its place in the line of those who wait is what is measured."""
    with horde.co.waiters.wait(Kind.TEXT) as waiter:
        waiter.judge = judge
        await waiter.heard.wait()
