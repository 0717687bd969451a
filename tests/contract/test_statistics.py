"""Totals of what was delivered: by window, by model, exact over restarts (contract 18)."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from hordenode.coordinator import janitor, pops, requests, statistics, submits
from hordenode.coordinator.context import Caller
from hordenode.domain.statistics import WINDOWS
from hordenode.protocol.image import ImagePop, ImageRequest, ImageSubmit
from hordenode.protocol.text import TextPop, TextRequest, TextSubmit
from tests.contract.schema import validate
from tests.support.aio import run
from tests.support.horde import ANONYMOUS, TEXT_POP, TEXT_REQUEST, Horde, open_horde


async def shown(horde: Horde, path: str) -> Any:
    """GET /stats/…, in the contract's shape."""
    answer = await horde.call("GET", f"/stats/{path}")
    assert answer.status_code == 200, answer.text
    validate(f"GET /stats/{path.partition('?')[0]}", 200, answer.json())
    return answer.json()


async def text_job(horde: Horde, worker: str, state: str = "ok") -> None:
    await horde.ok("POST", "/generate/text/async", TEXT_REQUEST, key=ANONYMOUS)
    job = await horde.ok("POST", "/generate/text/pop", TEXT_POP, key=worker)
    await horde.ok("POST", "/generate/text/submit", {"id": job["id"], "generation": "x", "state": state}, key=worker)


def test_a_new_horde_has_made_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            nothing = {name: {"images": 0, "ps": 0} for name in (*WINDOWS, "total")}
            assert await shown(horde, "img/totals") == nothing
            assert await shown(horde, "text/models") == {"day": {}, "month": {}, "total": {}}

    run(main())


def test_each_window_forgets_what_is_older(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            worker = await horde.worker_key()
            ages = (25 * 86_400, 20 * 3600, 50 * 60, 50, 0)  # in each window, in all but the shortest, …
            for age, younger in zip(ages, (*ages[1:], 0), strict=True):
                await text_job(horde, worker)
                horde.clock.advance(age - younger)
            totals = await shown(horde, "text/totals")
            assert [totals[name]["requests"] for name in (*WINDOWS, "total")] == [2, 3, 4, 5, 5]
            assert totals["hour"]["tokens"] == 3 * 80
            horde.clock.advance(31 * 86_400)
            await statistics.prune_slices(horde.co)
            totals = await shown(horde, "text/totals")
            assert [totals[name]["requests"] for name in (*WINDOWS, "total")] == [0, 0, 0, 0, 5]

    run(main())


def test_only_delivered_jobs_count_and_those_of_deleted_requests_too(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            worker = await horde.worker_key()
            for state in ("ok", "faulted", "censored"):
                await text_job(horde, worker, state)
            horde.clock.advance(21 * 60)
            assert await janitor.sweep_expired(horde.co) == 3
            assert (await shown(horde, "text/totals"))["total"] == {"requests": 2, "tokens": 160}

    run(main())


def test_models_are_told_apart_by_the_reference_list(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            await horde.worker_key()
            await many_jobs(horde, random.Random(1), 100)
            known = (await shown(horde, "img/models"))["total"]
            custom = (await shown(horde, "img/models?model_state=custom"))["total"]
            both = (await shown(horde, "img/models?model_state=all"))["total"]
            assert set(known) == {"stable_diffusion"} and custom and known | custom == both
            answer = await horde.call("GET", "/stats/img/models?model_state=odd")
            assert answer.json()["rc"] == "BadRequest"
            validate("GET /stats/img/models", 400, answer.json())

    run(main())


async def many_jobs(horde: Horde, chance: random.Random, count: int) -> None:
    """About `count` jobs of both kinds, several models, sizes and ends, at different times."""
    caller = Caller(user_id=0)
    models = ["stable_diffusion", "model one", "model two"]
    while count > 0:
        n, model = chance.randint(1, 20), chance.choice(models)
        count -= n
        horde.clock.advance(chance.randint(0, 30))
        if chance.random() < 0.5:
            await image_jobs(horde, caller, chance, n, model)
        else:
            await text_jobs(horde, caller, chance, n, model)


async def image_jobs(horde: Horde, caller: Caller, chance: random.Random, n: int, model: str) -> None:
    params = {"n": n, "steps": chance.randint(1, 50), "width": 64 * chance.randint(1, 8)}
    request = ImageRequest(prompt="p", models=(model,), params=params_of(ImageRequest, params))
    await requests.submit_image(horde.co, caller, request)
    pop = ImagePop(name="painter", models=(model,), amount=20, max_pixels=10**9)
    job = await pops.pop_image(horde.co, Caller(user_id=1), pop)
    for job_id in job.ids:
        state: Any = "faulted" if chance.random() < 0.005 else "ok"  # more, and the worker is put into maintenance
        await submits.submit_image(
            horde.co, Caller(user_id=1), ImageSubmit(id=job_id, generation="R2", seed=1, state=state)
        )


async def text_jobs(horde: Horde, caller: Caller, chance: random.Random, n: int, model: str) -> None:
    params = {"n": n, "max_length": chance.randint(16, 512)}
    request = TextRequest(prompt="p", models=(model,), params=params_of(TextRequest, params))
    await requests.submit_text(horde.co, caller, request)
    job = await pops.pop_text(horde.co, Caller(user_id=1), TextPop(name="writer", models=(model,), amount=20))
    for job_id in job.ids:
        state: Any = "faulted" if chance.random() < 0.005 else chance.choice(["ok", "censored"])
        await submits.submit_text(horde.co, Caller(user_id=1), TextSubmit(id=job_id, generation="x", state=state))


def params_of(request: type[Any], members: dict[str, Any]) -> Any:
    return msgspec.convert({"prompt": "p", "params": members}, request).params


def sums(database: Path) -> dict[str, Counter[str]]:
    """What the delivered jobs in the main database come to."""
    connection = sqlite3.connect(database)
    rows = connection.execute(
        "SELECT w.kind, j.model, count(*), sum(w.things) FROM jobs j JOIN waiting_prompts w ON w.id = j.request_id"
        " WHERE j.state = 'done' GROUP BY w.kind, j.model"
    ).fetchall()
    connection.close()
    found: dict[str, Counter[str]] = {"image": Counter(), "text": Counter()}
    for kind, model, jobs, things in rows:
        found[kind].update({"jobs": jobs, "things": things, model: jobs})
    return found


def test_totals_after_10000_random_jobs_and_three_restarts_are_the_sum_of_the_jobs(tmp_path: Path) -> None:
    chance = random.Random(4)
    expected: dict[str, Counter[str]] = {"image": Counter(), "text": Counter()}

    async def stretch(seed: int) -> None:
        async with open_horde(tmp_path, seed=seed) as horde:
            if seed == 0:
                await horde.worker_key()
            horde.clock.advance(seed * 36_000)
            await many_jobs(horde, chance, 2500)
            if seed % 2:
                await shown(horde, "text/totals")  # some are counted before the end, the others at the next start
            made = sums(tmp_path / "hordenode.db")
            for kind, counts in made.items():
                expected[kind].update(counts)
            horde.clock.advance(61 * 60)
            await janitor.sweep_expired(horde.co)
            assert not sum(sums(tmp_path / "hordenode.db")["text"].values())

    async def check() -> None:
        async with open_horde(tmp_path, seed=9) as horde:
            images, texts = await shown(horde, "img/totals"), await shown(horde, "text/totals")
            assert images["total"] == {"images": expected["image"]["jobs"], "ps": expected["image"]["things"]}
            assert texts["total"] == {"requests": expected["text"]["jobs"], "tokens": expected["text"]["things"]}
            models = (await shown(horde, "img/models?model_state=all"))["total"]
            assert models == {name: n for name, n in expected["image"].items() if name not in ("jobs", "things")}
            models = (await shown(horde, "text/models"))["total"]
            assert models == {name: n for name, n in expected["text"].items() if name not in ("jobs", "things")}

    for seed in range(4):
        run(stretch(seed))
    run(check())


def test_what_was_counted_before_a_kill_is_not_counted_again(tmp_path: Path) -> None:
    """A kill leaves both files at some commit: telemetry.db may be behind, never in between."""

    keys: list[str] = []

    async def first() -> None:
        async with open_horde(tmp_path) as horde:
            worker = await horde.worker_key()
            keys.append(worker)
            await text_job(horde, worker)
            await statistics.count_deliveries(horde.co)
            for name in ("telemetry.db", "telemetry.db-wal"):
                (tmp_path / f"old {name}").write_bytes((tmp_path / name).read_bytes())
            await text_job(horde, worker)
            await statistics.count_deliveries(horde.co)

    async def second(count: int) -> None:
        async with open_horde(tmp_path, seed=count) as horde:
            assert (await shown(horde, "text/totals"))["total"]["requests"] == count
            await text_job(horde, keys[0])

    run(first())
    for name in ("telemetry.db", "telemetry.db-wal"):  # as if the second count had not been committed
        (tmp_path / name).write_bytes((tmp_path / f"old {name}").read_bytes())
    (tmp_path / "telemetry.db-shm").unlink(missing_ok=True)
    run(second(2))
    (tmp_path / "hordenode.db-wal").unlink(missing_ok=True)
    run(second(3))


def test_counting_twice_at_once_counts_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            worker = await horde.worker_key()
            for _ in range(3):
                await text_job(horde, worker)
            await asyncio.gather(*(statistics.count_deliveries(horde.co) for _ in range(10)))
            assert (await shown(horde, "text/totals"))["total"]["requests"] == 3

    run(main())
