"""Who is served next under both orders, and whether `queue_position` and `wait_time` say so."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path
from typing import Any

import pytest

from hordenode.coordinator.line import LaneServed, Line, LineMoved
from hordenode.coordinator.sequence import BLOCK, Sequence, Sums
from hordenode.domain.entities import Kind, WaitingPrompt
from tests.live.test_long_poll import began
from tests.support.aio import run
from tests.support.horde import ANONYMOUS, TEXT_POP, TEXT_REQUEST, Horde, open_horde

SPEED = 8  # tokens a second that the worker of these tests delivers


async def post(horde: Horde, key: str, prompt: str, **params: Any) -> str:
    body = TEXT_REQUEST | {"prompt": prompt, "params": {"max_length": 80} | params}
    return str((await horde.ok("POST", "/generate/text/async", body, key=key))["id"])


async def serve(horde: Horde, worker: str) -> str:
    """One job, popped and delivered at the worker's speed; its prompt, empty when there was none."""
    job = await horde.ok("POST", "/generate/text/pop", TEXT_POP, key=worker)
    if job["id"] is None:
        return ""
    horde.clock.advance(job["payload"]["max_length"] / SPEED)
    await horde.ok("POST", "/generate/text/submit", {"id": job["id"], "generation": "x"}, key=worker)
    return str(job["payload"]["prompt"])


async def standing(horde: Horde, request_id: str) -> Any:
    return await horde.ok("GET", f"/generate/text/status/{request_id}")


@pytest.mark.parametrize("fair", [True, False], ids=["fair", "reference"])
def test_one_request_behind_two_hundred_of_another_user(tmp_path: Path, fair: bool) -> None:
    async def main() -> None:
        async with open_horde(tmp_path, fair=fair) as horde:
            worker, busy = await horde.worker_key(), await horde.user("busy", concurrency=500)
            other, rich = await horde.user("other"), await horde.user("rich", kudos_amount=5000)
            for number in range(200):
                await post(horde, busy, f"busy {number}")
            late = await post(horde, other, "late")
            if fair:
                assert (await standing(horde, late))["queue_position"] <= 2
                assert "late" in [await serve(horde, worker) for _ in range(2)]
                return
            assert (await standing(horde, late))["queue_position"] == 201
            urgent = await post(horde, rich, "urgent")
            assert (await standing(horde, urgent))["queue_position"] == 1
            assert [await serve(horde, worker) for _ in range(2)] == ["urgent", "busy 0"]

    run(main())


@pytest.mark.parametrize("fair", [True, False], ids=["fair", "reference"])
@pytest.mark.parametrize("seed", range(4))
def test_positions_and_waiting_times_are_what_then_happens(tmp_path: Path, fair: bool, seed: int) -> None:
    """One worker; requests of several users, sizes and numbers; kudos decide in part."""
    chance = random.Random(seed)

    async def main() -> None:
        async with open_horde(tmp_path, fair=fair) as horde:
            worker = await horde.worker_key()
            users = [await horde.user(f"user {i}", kudos_amount=chance.choice((0, 50, 20_000))) for i in range(4)]
            await post(horde, users[0], "to know the worker's speed")
            await serve(horde, worker)
            asked = {}
            for number in range(24):
                horde.clock.advance(chance.uniform(0, 5))
                n, size = chance.choice((1, 1, 1, 2, 4)), chance.choice((40, 80, 160))
                key = chance.choice((*users, ANONYMOUS))
                asked[f"{number}"] = await post(horde, key, f"{number}", n=n, max_length=size)
                if number % 4 == 3:
                    await serve(horde, worker)
            claimed = {}
            for prompt, request_id in asked.items():
                check = await standing(horde, request_id)
                if check["queue_position"]:
                    claimed[prompt] = (check["queue_position"], check["wait_time"])
            began = horde.clock.now_ms()
            firsts: dict[str, int] = {}
            lasts: dict[str, float] = {}
            while prompt := await serve(horde, worker):
                firsts.setdefault(prompt, len(firsts) + 1)
                lasts[prompt] = (horde.clock.now_ms() - began) / 1000
            for prompt, (position, wait) in claimed.items():
                assert position == firsts[prompt], prompt
                assert wait == pytest.approx(lasts[prompt], abs=1), prompt

    run(main())


@pytest.mark.parametrize("fair", [True, False], ids=["fair", "reference"])
def test_nobody_fills_all_workers_where_the_owner_limits_it(tmp_path: Path, fair: bool) -> None:
    async def main() -> None:
        async with open_horde(tmp_path, fair=fair, max_running=2) as horde:
            worker, busy, other = await horde.worker_key(), await horde.user("busy"), await horde.user("other")
            for number in range(5):
                await post(horde, busy, f"busy {number}")

            async def pop(wait: str = "") -> Any:
                return await horde.ok("POST", f"/generate/text/pop{wait}", TEXT_POP, key=worker)

            first = [await pop() for _ in range(4)]
            assert [job["payload"].get("prompt") for job in first] == ["busy 0", "busy 1", None, None]
            await post(horde, other, "other")
            assert (await pop())["payload"]["prompt"] == "other"
            popping = asyncio.create_task(pop("?wait=20"))
            await began(popping, lambda: len(horde.co.waiters))
            await horde.ok("POST", "/generate/text/submit", {"id": first[0]["id"], "generation": "x"}, key=worker)
            assert (await popping)["payload"]["prompt"] == "busy 2", "and who waits hears of the room"
            await post(horde, worker, "mine")
            await post(horde, worker, "mine")
            await post(horde, worker, "mine")
            mine = [(await pop())["payload"].get("prompt") for _ in range(3)]
            assert mine == ["mine"] * 3, "an owner's worker is the owner's"

    run(main())


def test_sums_over_what_stands_before_are_those_of_counting() -> None:
    """Against a plain list, through additions, changes and removals, over several blocks."""
    chance = random.Random(1)
    sequence = Sequence()
    plain: dict[tuple[int, int, str], tuple[int, int]] = {}
    for step in range(6000):
        if plain and chance.random() < 0.3:
            key = chance.choice(list(plain)) if step % 50 == 0 else next(iter(plain))
            if chance.random() < 0.5:
                sequence.remove(key)
                del plain[key]
            else:
                plain[key] = (chance.randint(1, 5), plain[key][1])
                sequence.change(key, plain[key][0])
        else:
            key = (chance.randint(-1000, 1000), step, str(step))
            plain[key] = (chance.randint(1, 5), chance.randint(1, 100))
            sequence.add(key, *plain[key])
    ordered = sorted(plain.items())
    assert len(sequence) == len(ordered) > 2 * BLOCK
    for at in range(0, len(ordered), 37):
        ahead = ordered[:at]
        jobs, things = sum(n for _, (n, _) in ahead), sum(n * size for _, (n, size) in ahead)
        assert sequence.before(ordered[at][0]) == Sums(at, jobs, things)
        one_more = Sums(at + 1, jobs + 1, things + ordered[at][1][1])
        assert sequence.first(jobs) == Sums(at, jobs, things) and sequence.first(jobs + 1) == one_more
    assert sequence.first(10**9).requests == len(ordered)


def test_a_place_among_a_hundred_thousand_is_found_at_once() -> None:
    for fair in (True, False):
        line = Line(fair=fair)
        for number in range(100_000):
            user = number % 1000
            line.apply(LineMoved(waiting(f"{number}", user, number)))
        last, times = f"{99_999}", []
        for turn in range(50):
            began = time.perf_counter()
            position = line.place(Kind.TEXT, last).position
            times.append(time.perf_counter() - began)
            line.apply(LaneServed(Kind.TEXT, turn, turn=turn + 1))
        assert position == pytest.approx(99_951, abs=50), "of many lanes, some stand for all"
        assert sorted(times)[25] < 0.002


def waiting(request_id: str, lane: int, arrival: int) -> WaitingPrompt:
    return WaitingPrompt(
        id=request_id, kind=Kind.TEXT, user_id=lane, lane_id=lane, signature_id=1, order_key=-arrival, arrival=arrival,
        n=1, jobs=1, processing=0, finished=0, restarted=0, faulted=False, cancelled=False, things=80, price=1,
        consumed=0, created_ms=0, expires_ms=0,
    )  # fmt: skip
