"""Prompt filters: kept by moderators, in force for requests (contract 17)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.contract.schema import validate
from tests.support.aio import run
from tests.support.horde import ANONYMOUS, IMAGE_POP, TEXT_POP, Horde, open_horde

UNKNOWN = "00000000-0000-4000-8000-000000000000"
ONE, TWO = {"regex": "c[ao]t", "filter_type": 10, "replacement": "bird"}, {"regex": "dog", "filter_type": 20}


async def call(horde: Horde, route: str, status: int, body: Any = None, key: str | None = None, path: str = "") -> Any:
    """A call that must be answered with `status`, in the contract's shape."""
    method, _, template = route.partition(" ")
    answer = await horde.call(method, path or template, body, key=key)
    assert answer.status_code == status, f"{route}: {answer.status_code} {answer.text[:400]}"
    validate(route, status, answer.json())
    return answer.json()


async def filtered(horde: Horde) -> str:
    """A horde with two filters that make 'a cat and a dog' suspicious; the moderator's key."""
    key = await horde.user("moderator", moderator=True)
    for body in (ONE, TWO):
        await call(horde, "PUT /filters", 200, body, key)
    return key


def test_filters_are_made_listed_changed_and_deleted(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.user("moderator", moderator=True)
            assert await call(horde, "GET /filters", 200, key=key) == []
            made = await call(horde, "PUT /filters", 200, ONE | {"description": "pets"}, key)
            assert {name: made[name] for name in ONE} == ONE
            assert (made["user"], made["description"]) == ("moderator#1", "pets")
            assert (await call(horde, "PUT /filters", 200, ONE, key))["id"] == made["id"]
            await call(horde, "PUT /filters", 200, TWO, key)
            one, path = "/filters/{filter_id}", f"/filters/{made['id']}"
            assert await call(horde, f"GET {one}", 200, key=key, path=path) == made
            for query, count in (("", 2), ("?filter_type=20", 1), ("?contains=%5Bao", 1), ("?contains=bird", 0)):
                assert len(await call(horde, "GET /filters", 200, key=key, path=f"/filters{query}")) == count
            changed = await call(horde, f"PATCH {one}", 200, {"replacement": "fish"}, key, path)
            assert changed == made | {"replacement": "fish"}
            assert await call(horde, "GET /filters/regex", 200, key=key) == [
                {"filter_type": 10, "regex": "(?:c[ao]t)"},
                {"filter_type": 11},
                {"filter_type": 20, "regex": "(?:dog)"},
            ]
            some = await call(horde, "GET /filters/regex", 200, key=key, path="/filters/regex?filter_type=29")
            assert some == [{"filter_type": 29}]
            await call(horde, f"DELETE {one}", 200, key=key, path=path)
            assert len(await call(horde, "GET /filters", 200, key=key)) == 1

    run(main())


def test_only_moderators_may_see_and_change_filters(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            moderator, user = await filtered(horde), await horde.user("user")
            bodies = {"PUT": ONE, "POST": {"prompt": "p"}, "PATCH": {"regex": "x"}}
            routes = [f"{method} /filters" for method in ("GET", "PUT", "POST")]
            routes += [
                "GET /filters/regex",
                *(f"{method} /filters/{{filter_id}}" for method in ("GET", "PATCH", "DELETE")),
            ]
            for route in routes:
                method, _, template = route.partition(" ")
                path, body = template.replace("{filter_id}", UNKNOWN), bodies.get(method)
                for key, status, rc in (("x" * 22, 401, "InvalidAPIKey"), (user, 403, "NotModerator")):
                    assert (await call(horde, route, status, body, key, path))["rc"] == rc
                if "{" in template:
                    assert (await call(horde, route, 404, body, moderator, path))["rc"] == "FilterNotFound"

    run(main())


def test_what_is_no_usable_filter_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await filtered(horde)
            listed = await call(horde, "GET /filters", 200, key=key)
            path = f"/filters/{listed[0]['id']}"
            for regex in ("(", "", "(a+)+$"):
                answer = await call(horde, "PUT /filters", 400, ONE | {"regex": regex}, key)
                assert list(answer["errors"]) == ["regex"]
                answer = await call(horde, "PATCH /filters/{filter_id}", 400, {"regex": regex}, key, path)
                assert list(answer["errors"]) == ["regex"]
            refused = await call(horde, "PATCH /filters/{filter_id}", 400, {}, key, path)
            assert refused["rc"] == "NoFilterModSelected"
            twice = {"regex": TWO["regex"], "filter_type": TWO["filter_type"]}
            assert "errors" in await call(horde, "PATCH /filters/{filter_id}", 400, twice, key, path)
            assert await call(horde, "GET /filters", 200, key=key) == listed

    run(main())


def test_a_prompt_can_be_judged(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.user("moderator", moderator=True)
            nothing = await call(horde, "POST /filters", 200, {"prompt": "a cat and a dog"}, key)
            assert nothing == {"suspicion": "0", "matches": []}
            await filtered(horde)
            for body, level, matches in (
                ({"prompt": "a house"}, "0", []),
                ({"prompt": "a c-a-t"}, "1", ["cat"]),
                ({"prompt": "a (Cat:1.2) and a dog"}, "2", ["Cat", "dog"]),
                ({"prompt": "a cat and a dog", "filter_type": 20}, "1", ["dog"]),
            ):
                judged = await call(horde, "POST /filters", 200, body, key)
                assert judged == {"suspicion": level, "matches": matches}

    run(main())


async def ask(horde: Horde, status: int, key: str = ANONYMOUS, **changes: Any) -> Any:
    body = {"prompt": "a cat and a dog###cat", "models": ["model one"]} | changes
    return await call(horde, "POST /generate/async", status, body, key)


async def popped_prompt(horde: Horde, worker: str) -> str:
    job = await call(horde, "POST /generate/pop", 200, IMAGE_POP, worker)
    return str(job["payload"]["prompt"])


def test_a_suspicious_image_prompt_is_cleaned_or_refused_as_it_asks(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            await filtered(horde)
            worker = await horde.worker_key()
            await ask(horde, 202)
            assert await popped_prompt(horde, worker) == "a bird and a dog###cat"
            await ask(horde, 202, prompt="a cat alone")
            assert await popped_prompt(horde, worker) == "a cat alone"
            refused = await ask(horde, 400, replacement_filter=False)
            assert refused["rc"] == "CorruptPrompt"
            assert (await ask(horde, 403))["rc"] == "TimeoutIP"
            horde.clock.advance(180)
            assert (await ask(horde, 400, replacement_filter=False, dry_run=True))["rc"] == "CorruptPrompt"
            horde.clock.advance(9 * 60 - 1)  # the second time within a day takes longer
            assert (await ask(horde, 403))["rc"] == "TimeoutIP"
            horde.clock.advance(1)
            long = await ask(horde, 400, prompt="a cat and a dog " * 500)
            assert long["rc"] == "BadRequest"
            assert (await horde.ok("POST", "/generate/pop", IMAGE_POP, key=worker))["id"] is None

    run(main())


def test_a_prompt_of_which_nothing_is_left_is_corrupt(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await filtered(horde)
            for regex in ("dog", "and"):
                await call(horde, "PUT /filters", 200, {"regex": regex, "filter_type": 10}, key)
            listed = await call(horde, "GET /filters", 200, key=key, path="/filters?contains=c%5Bao%5Dt")
            path = f"/filters/{listed[0]['id']}"
            await call(horde, "PATCH /filters/{filter_id}", 200, {"replacement": ""}, key, path)
            assert (await ask(horde, 400, prompt="cat and dog"))["rc"] == "CorruptPrompt"

    run(main())


def test_earlier_checks_come_first_and_later_ones_see_the_clean_prompt(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            await filtered(horde)
            assert (await ask(horde, 401, key="x" * 22, replacement_filter=False))["rc"] == "InvalidAPIKey"
            assert (await ask(horde, 404, workers=[UNKNOWN], replacement_filter=False))["rc"] == "WorkerNotFound"
            wrong = {"cfg_scale": 7.123}
            assert (await ask(horde, 400, params=wrong, replacement_filter=False))["rc"] == "CorruptPrompt"
            horde.clock.advance(180)
            assert (await ask(horde, 400, params=wrong))["rc"] == "BadCFGDecimals"

    run(main())


def test_texts_are_not_judged_but_flagged_users_are_always_cleaned(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            moderator = await filtered(horde)
            worker, flagged = await horde.worker_key(), await horde.user("flagged")
            await horde.change_user(3, flagged=True)
            text = {"prompt": "a cat and a dog", "models": ["model one"]}
            for key, prompt in ((ANONYMOUS, text["prompt"]), (flagged, "a bird and a dog")):
                await call(horde, "POST /generate/text/async", 202, text, key)
                job = await call(horde, "POST /generate/text/pop", 200, TEXT_POP, worker)
                assert job["payload"]["prompt"] == prompt
            await call(horde, "PUT /filters", 200, {"regex": "fish", "filter_type": 10}, moderator)
            refused = await call(horde, "POST /generate/text/async", 400, text | {"prompt": "fish"}, flagged)
            assert refused["rc"] == "CorruptPrompt"

    run(main())


def test_filters_hold_after_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            await filtered(horde)
        async with open_horde(tmp_path, seed=1) as horde:
            assert (await ask(horde, 400, replacement_filter=False))["rc"] == "CorruptPrompt"

    run(main())
