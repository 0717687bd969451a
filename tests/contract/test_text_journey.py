"""A text request from POST to text; queue order, admission, prices and people (contract 3, 6, 10, 11)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.contract.schema import validate
from tests.support.aio import run
from tests.support.horde import ANONYMOUS, IMAGE_POP, IMAGE_REQUEST, TEXT_POP, TEXT_REQUEST, Horde, open_horde


async def checked(horde: Horde, route: str, status: int, path: str, body: Any = None, key: str | None = None) -> Any:
    """A call whose status is expected and whose answer must fit api.json."""
    answer = await horde.call(route.partition(" ")[0], path, body, key=key)
    assert answer.status_code == status, answer.text[:500]
    validate(route, status, answer.json())
    return answer.json()


async def serve(horde: Horde, key: str, text: str = "written", **pop: Any) -> Any:
    """Pop one text job and submit it; returns the job."""
    job = await horde.ok("POST", "/generate/text/pop", TEXT_POP | pop, key=key)
    if job["id"] is not None:
        await horde.ok("POST", "/generate/text/submit", {"id": job["id"], "generation": text}, key=key)
    return job


def test_a_text_is_written_and_read(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            empty = await checked(horde, "POST /generate/text/pop", 200, "/generate/text/pop", TEXT_POP, key)
            assert empty["id"] is None and empty["payload"]["max_length"] == 80
            accepted = await checked(
                horde, "POST /generate/text/async", 202, "/generate/text/async", TEXT_REQUEST, ANONYMOUS
            )
            assert "message" not in accepted and "warnings" not in accepted
            job = await checked(horde, "POST /generate/text/pop", 200, "/generate/text/pop", TEXT_POP, key)
            assert job["payload"]["prompt"] == "Once upon a time" and job["ttl"] == 150
            body = {"id": job["id"], "generation": "there was a \0 horde", "seed": -1}
            done = await checked(horde, "POST /generate/text/submit", 200, "/generate/text/submit", body, key)
            assert done["reward"] > 0
            path = f"/generate/text/status/{accepted['id']}"
            status = await checked(horde, "GET /generate/text/status/{id}", 200, path)
            assert status["done"] and status["generations"][0]["text"] == "there was a \ufffd horde"
            assert status["generations"][0]["state"] == "ok"
            assert (await horde.call("GET", f"/generate/check/{accepted['id']}")).json()["rc"] == "RequestNotFound"

    run(main())


def test_csam_and_censored_states_are_shown(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            for state in ("censored", "csam"):
                accepted = await horde.ok("POST", "/generate/text/async", TEXT_REQUEST, key=ANONYMOUS)
                job = await horde.ok("POST", "/generate/text/pop", TEXT_POP, key=key)
                body = {"id": job["id"], "generation": "x", "state": state}
                await horde.ok("POST", "/generate/text/submit", body, key=key)
                status = await horde.ok("GET", f"/generate/text/status/{accepted['id']}")
                item = status["generations"][0]
                assert item["state"] == state
                assert bool(item["gen_metadata"]) == (state == "csam")

    run(main())


@pytest.mark.parametrize(
    ("change", "rc"),
    [
        ({"prompt": ""}, "MissingPrompt"),
        ({"params": {"max_length": 512, "max_context_length": 100}}, "TokenOverflow"),
        ({"params": {"sampler_order": [1, 2, 3]}}, "MissingFullSamplerOrder"),
        ({"params": {"stop_sequence": [str(i) for i in range(129)]}}, "TooManyStopSequences"),
        ({"params": {"stop_sequence": ["x" * 2001]}}, "ExcessiveStopSequence"),
        ({"extra_source_images": [{"image": "aaaa"}]}, "InvalidExtraSourceImages."),
        ({"style": "nobody knows"}, "StyleNotFound"),
        ({"workers": ["00000000-0000-4000-8000-000000000000"]}, "WorkerNotFound"),
        ({"webhook": "http://insecure.example"}, "BadRequest"),
        ({"proxied_account": "somebody"}, "OnlyServiceAccountProxy"),
        ({"disable_batching": True, "params": {"n": 2}}, "RequiresTrust"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_broken_rules_answer_their_code(tmp_path: Path, change: dict[str, Any], rc: str) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            answer = await horde.call("POST", "/generate/text/async", TEXT_REQUEST | change, key=ANONYMOUS)
            assert answer.json().get("rc") == rc, answer.text
            validate("POST /generate/text/async", answer.status_code, answer.json())

    run(main())


def test_too_many_waiting_jobs_are_refused_until_some_are_taken(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            worker, key = await horde.worker_key(), await horde.user(concurrency=3)
            for _ in range(3):
                await horde.ok("POST", "/generate/text/async", TEXT_REQUEST, key=key)
            refused = await checked(horde, "POST /generate/text/async", 429, "/generate/text/async", TEXT_REQUEST, key)
            assert refused["rc"] == "TooManyPrompts"
            await horde.ok("POST", "/generate/text/pop", TEXT_POP, key=worker)
            await horde.ok("POST", "/generate/text/async", TEXT_REQUEST, key=key)

    run(main())


def test_users_take_turns_in_the_fair_order(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            worker = await horde.worker_key()
            first, second = await horde.user("first", concurrency=100), await horde.user("second")
            for i in range(20):
                await horde.ok("POST", "/generate/text/async", TEXT_REQUEST | {"prompt": f"first {i}"}, key=first)
            late = await horde.ok("POST", "/generate/text/async", TEXT_REQUEST | {"prompt": "second"}, key=second)
            check = await horde.ok("GET", f"/generate/text/status/{late['id']}")
            assert check["queue_position"] <= 2
            prompts = [(await serve(horde, worker))["payload"]["prompt"] for _ in range(4)]
            assert "second" in prompts[:2]
            assert [p for p in prompts if p != "second"] == ["first 0", "first 1", "first 2"]

    run(main())


def test_priority_and_age_decide_in_the_reference_order(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path, fair=False) as horde:
            worker = await horde.worker_key()
            poor, rich = await horde.user("poor"), await horde.user("rich", kudos_amount=100)
            await horde.ok("POST", "/generate/text/async", TEXT_REQUEST | {"prompt": "poor"}, key=poor)
            await horde.ok("POST", "/generate/text/async", TEXT_REQUEST | {"prompt": "rich"}, key=rich)
            assert (await serve(horde, worker))["payload"]["prompt"] == "rich"
            horde.clock.advance(60)  # +50 per 10 s: the poor user's request is now worth more than a fresh rich one
            await horde.ok("POST", "/generate/text/async", TEXT_REQUEST | {"prompt": "rich again"}, key=rich)
            assert (await serve(horde, worker))["payload"]["prompt"] == "poor"

    run(main())


def test_a_worker_serves_its_owner_first(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            worker = await horde.worker_key()
            friend = await horde.user("friend")
            for key, name in ((await horde.user("other"), "other"), (friend, "friend"), (worker, "owner")):
                await horde.ok("POST", "/generate/text/async", TEXT_REQUEST | {"prompt": name}, key=key)
            found = await horde.ok("GET", "/find_user", key=friend)
            prompts = [
                (await serve(horde, worker, priority_usernames=[found["username"]]))["payload"]["prompt"]
                for _ in range(3)
            ]
            assert prompts == ["owner", "friend", "other"]
            refused = await checked(
                horde,
                "POST /generate/text/pop",
                400,
                "/generate/text/pop",
                TEXT_POP | {"priority_usernames": ["x"]},
                worker,
            )
            assert refused["rc"] == "InvalidPriorityUsername"

    run(main())


def test_a_targeted_request_waits_for_its_worker(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            for name in ("one", "two"):
                await horde.ok("POST", "/generate/text/pop", TEXT_POP | {"name": name}, key=key)
            workers = {w["name"]: w["id"] for w in await horde.ok("GET", "/workers")}
            await horde.ok("POST", "/generate/text/async", TEXT_REQUEST | {"workers": [workers["two"]]}, key=ANONYMOUS)
            skipped = (await serve(horde, key, name="one"))["skipped"]
            assert skipped == {"worker_id": 1}
            assert (await serve(horde, key, name="two"))["id"] is not None

    run(main())


@pytest.mark.parametrize(
    ("request_change", "pop_change", "reason"),
    [
        ({"models": ["another"]}, {}, "models"),
        ({"params": {"max_length": 600, "max_context_length": 2048}}, {}, "max_length"),
        ({"params": {"max_context_length": 8192}}, {}, "max_context_length"),
        ({"validated_backends": True}, {}, "bridge_version"),
        ({"softprompt": "poet"}, {}, "matching_softprompt"),
        ({"slow_workers": False}, {}, "performance"),
    ],
    ids=["models", "max_length", "max_context_length", "bridge_version", "matching_softprompt", "performance"],
)
def test_skipped_says_why_a_text_worker_got_nothing(
    tmp_path: Path, request_change: dict[str, Any], pop_change: dict[str, Any], reason: str
) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            await horde.ok("POST", "/generate/text/async", TEXT_REQUEST | request_change, key=ANONYMOUS)
            job = await checked(horde, "POST /generate/text/pop", 200, "/generate/text/pop", TEXT_POP | pop_change, key)
            assert job["id"] is None and job["skipped"] == {reason: 1}

    run(main())


@pytest.mark.parametrize(
    ("request_change", "pop_change", "reason"),
    [
        ({}, {"models": ["another"]}, "models"),
        ({}, {"max_pixels": 4096}, "max_pixels"),
        ({"nsfw": True}, {"nsfw": False}, "nsfw"),
        ({"params": {"loras": [{"name": "x"}]}}, {}, "lora"),
        ({"params": {"post_processing": ["GFPGAN"]}}, {"allow_post_processing": False}, "post-processing"),
        ({"slow_workers": False}, {"extra_slow_worker": True}, "performance"),
        ({"params": {"sampler_name": "lcm"}}, {"bridge_agent": "AI Horde Worker:23:x"}, "bridge_version"),
        ({}, {"blacklist": ["CIRCLE"]}, "blacklist"),
        ({}, {"require_upfront_kudos": True}, "kudos"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_skipped_says_why_an_image_worker_got_nothing(
    tmp_path: Path, request_change: dict[str, Any], pop_change: dict[str, Any], reason: str
) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            body = IMAGE_REQUEST | {"nsfw": False} | request_change
            body["params"] = IMAGE_REQUEST["params"] | request_change.get("params", {})
            await horde.ok("POST", "/generate/async", body, key=ANONYMOUS)
            job = await checked(horde, "POST /generate/pop", 200, "/generate/pop", IMAGE_POP | pop_change, key)
            assert job["id"] is None
            assert {name for name, count in job["skipped"].items() if count} == {reason}

    run(main())


def test_pop_admission_in_contract_order(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            owner, stranger = await horde.worker_key(), await horde.user("stranger", trusted=False)
            await horde.ok("POST", "/generate/text/pop", TEXT_POP, key=owner)
            for key, body, rc, status in (
                ("nobody's key", TEXT_POP, "InvalidAPIKey", 401),
                (ANONYMOUS, TEXT_POP, "AnonForbiddenWorker", 403),
                (stranger, TEXT_POP, "WrongCredentials", 403),
            ):
                refused = await checked(horde, "POST /generate/text/pop", status, "/generate/text/pop", body, key)
                assert refused["rc"] == rc
            same_name = IMAGE_POP | {"name": TEXT_POP["name"]}
            refused = await checked(horde, "POST /generate/pop", 400, "/generate/pop", same_name, owner)
            assert refused["rc"] == "PolymorphicNameConflict"
            for i in range(3):
                await horde.ok("POST", "/generate/text/pop", TEXT_POP | {"name": f"mine {i}"}, key=stranger)
            refused = await checked(
                horde, "POST /generate/text/pop", 403, "/generate/text/pop", TEXT_POP | {"name": "mine 4"}, stranger
            )
            assert refused["rc"] == "TooManyWorkers"

    run(main())


def test_kudos_move_from_the_requester_to_the_worker(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            worker, client = await horde.worker_key(), await horde.user("client", kudos_amount=100)
            accepted = await horde.ok("POST", "/generate/text/async", TEXT_REQUEST, key=client)
            job = await horde.ok("POST", "/generate/text/pop", TEXT_POP, key=worker)
            body = {"id": job["id"], "generation": "word " * 60}
            reward = (await horde.ok("POST", "/generate/text/submit", body, key=worker))["reward"]
            paid = await checked(horde, "GET /find_user", 200, "/find_user", key=client)
            assert paid["kudos"] == pytest.approx(100 - 1 - (reward + 1))
            assert paid["kudos_details"]["accumulated"] == pytest.approx(-(reward + 2))
            assert paid["records"]["request"]["text"] == 1 and paid["records"]["usage"]["tokens"] == 80
            earned = await checked(horde, "GET /find_user", 200, "/find_user", key=worker)
            assert earned["kudos"] >= 25 and earned["records"]["fulfillment"]["text"] == 1
            assert earned["kudos_details"]["accumulated"] == pytest.approx(reward)
            status = await horde.ok("GET", f"/generate/text/status/{accepted['id']}")
            assert status["kudos"] == round(reward + 2)
            assert await horde.ledger_sum() == 0

    run(main())


def test_find_user_without_and_with_unknown_key(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            assert (await checked(horde, "GET /find_user", 401, "/find_user"))["rc"] == "InvalidAPIKey"
            assert (await checked(horde, "GET /find_user", 404, "/find_user", key="x" * 22))["rc"] == "UserNotFound"
            anonymous = await checked(horde, "GET /find_user", 200, "/find_user", key=ANONYMOUS)
            assert anonymous["username"] == "Anonymous#0"

    run(main())


def test_workers_models_performance_and_heartbeat(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            await horde.ok("POST", "/generate/text/async", TEXT_REQUEST, key=ANONYMOUS)
            await serve(horde, key)
            horde.clock.advance(1)
            await horde.ok("POST", "/generate/pop", IMAGE_POP | {"threads": 2}, key=key)
            await horde.ok("POST", "/generate/text/async", TEXT_REQUEST, key=ANONYMOUS)
            workers = await checked(horde, "GET /workers", 200, "/workers")
            assert {w["name"]: w["type"] for w in workers} == {"writer": "text", "painter": "image"}
            texts = await checked(horde, "GET /workers", 200, "/workers?type=text")
            assert [w["name"] for w in texts] == ["writer"] and texts[0]["requests_fulfilled"] == 1
            assert texts[0]["performance"].endswith(" tokens per second")
            named = await checked(horde, "GET /workers", 200, "/workers?name=PAINTER")
            assert named[0]["performance"] == "No requests fulfilled yet" and named[0]["threads"] == 2
            one = await checked(horde, "GET /workers/{worker_id}", 200, f"/workers/{named[0]['id']}")
            assert one == named[0]
            await checked(horde, "GET /workers/name/{worker_name}", 200, "/workers/name/writer")
            models = await checked(horde, "GET /status/models", 200, "/status/models?type=text")
            assert models[0]["name"] == "model one" and models[0]["jobs"] == 1 and models[0]["queued"] == 80
            assert await checked(horde, "GET /status/models/{model_name}", 200, "/status/models/model%20one")
            numbers = await checked(horde, "GET /status/performance", 200, "/status/performance")
            assert numbers["queued_text_requests"] == 1 and numbers["queued_tokens"] == 80
            assert numbers["past_minute_tokens"] == 80 and numbers["thread_count"] == 2
            heart = await checked(horde, "GET /status/heartbeat", 200, "/status/heartbeat")
            assert (heart["message"], heart["queue"], heart["active_count"]) == ("OK", 1, 2)
            horde.clock.advance(301)
            assert await horde.ok("GET", "/workers") == []

    run(main())


def test_everything_in_the_queue_is_there_after_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            ids = [
                (await horde.ok("POST", "/generate/text/async", TEXT_REQUEST, key=ANONYMOUS))["id"] for _ in range(5)
            ]
            job = await horde.ok("POST", "/generate/text/pop", TEXT_POP, key=key)
        async with open_horde(tmp_path, seed=1) as horde:
            checks = [await horde.ok("GET", f"/generate/text/status/{i}") for i in ids]
            assert [c["waiting"] for c in checks] == [0, 1, 1, 1, 1]
            assert [c["queue_position"] for c in checks] == [0, 1, 2, 3, 4]
            await horde.ok("POST", "/generate/text/submit", {"id": job["id"], "generation": "late"}, key=key)
            assert (await horde.ok("GET", f"/generate/text/status/{ids[0]}"))["done"]

    run(main())


def test_an_image_model_nobody_named_matches_any(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            request = {name: value for name, value in IMAGE_REQUEST.items() if name != "models"}
            await horde.ok("POST", "/generate/async", request, key=ANONYMOUS)
            job = await horde.ok("POST", "/generate/pop", IMAGE_POP, key=key)
            assert job["model"] == "model one"

    run(main())
