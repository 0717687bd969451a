"""Records of workers: changes, messages, and what is written down about odd ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hordenode.coordinator import janitor
from tests.contract.schema import validate
from tests.support.aio import run
from tests.support.horde import IMAGE_POP, IMAGE_REQUEST, TEXT_POP, TEXT_REQUEST, Horde, open_horde
from tests.support.people import Cast, People, open_people

Template = tuple[Path, Cast]


async def change(people: People, who: str, body: dict[str, Any]) -> Any:
    answer = await people.ok(who, "PUT", people.path("/workers/{worker_id}"), body)
    validate("PUT /workers/{worker_id}", 200, answer)
    return answer


async def pop(people: People) -> Any:
    return await people.horde.call("POST", "/generate/pop", IMAGE_POP, key=people.cast.keys["registered"])


async def seen(people: People, who: str = "none") -> Any:
    worker = await people.horde.ok("GET", people.path("/workers/{worker_id}"), key=people.cast.keys[who])
    validate("GET /workers/{worker_id}", 200, worker)
    return worker


def test_maintenance_answers_with_its_message_but_serves_the_owner(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            assert await change(people, "registered", {"maintenance": True, "maintenance_msg": "at lunch"}) == {
                "maintenance": True
            }
            refused = (await pop(people)).json()
            assert refused["rc"] == "WorkerMaintenance"
            assert "at lunch" in refused["message"] and "maintenance mode" in refused["message"].lower()
            assert (await seen(people))["maintenance_mode"]
            await change(people, "moderator", {"maintenance": True})
            assert "at lunch" not in (await pop(people)).json()["message"]
            await people.ok("other", "POST", "/generate/async", IMAGE_REQUEST)
            assert (await pop(people)).status_code == 403
            own = await people.ok("registered", "POST", "/generate/async", IMAGE_REQUEST)
            assert (await pop(people)).json()["id"]
            assert (await people.horde.ok("GET", f"/generate/check/{own['id']}"))["processing"] == 1
            await change(people, "registered", {"maintenance": False})
            assert (await pop(people)).json()["id"]

    run(main())


def test_a_paused_worker_gets_nothing_and_only_moderators_see_it(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            assert await change(people, "moderator", {"paused": True}) == {"paused": True}
            await people.ok("registered", "POST", "/generate/async", IMAGE_REQUEST)
            answer = await pop(people)
            assert answer.status_code == 200 and answer.json()["id"] is None
            assert "paused" not in await seen(people, "registered")
            inside = await seen(people, "moderator")
            assert inside["paused"] and inside["ipaddr"] == "127.0.0.1" and inside["suspicious"] == 0
            await change(people, "moderator", {"paused": False})
            assert (await pop(people)).json()["id"]

    run(main())


def test_a_worker_is_renamed_and_described(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            answer = await change(people, "registered", {"name": "the painter", "info": "slow but good"})
            assert answer == {"name": "the painter", "info": "slow but good"}
            renamed = await people.horde.ok("GET", "/workers/name/the%20painter")
            assert renamed["id"] == people.cast.things["worker_id"] and renamed["info"] == "slow but good"
            assert (await people.horde.call("GET", "/workers/name/painter")).status_code == 404
            for name in ("abcd", "x" * 101):
                refused = await people.horde.call(
                    "PUT", people.path("/workers/{worker_id}"), {"name": name}, key=people.cast.keys["registered"]
                )
                assert list(refused.json()["errors"]) == ["name"]

    run(main())


def test_changes_before_a_refused_one_stay(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            body = {"maintenance": True, "info": "kept", "paused": True, "name": "not reached"}
            refused = await people.horde.call(
                "PUT", people.path("/workers/{worker_id}"), body, key=people.cast.keys["registered"]
            )
            assert refused.json()["rc"] == "NotModerator"
            worker = await seen(people)
            assert (worker["maintenance_mode"], worker["info"], worker["name"]) == (True, "kept", "painter")

    run(main())


def test_a_worker_is_deleted_once_none_of_its_jobs_is_shown(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            path, key = people.path("/workers/{worker_id}"), people.cast.keys["registered"]
            await people.ok("other", "POST", "/generate/async", IMAGE_REQUEST)
            job = (await pop(people)).json()["id"]
            faulted = {"id": job, "generation": "x", "seed": 1, "state": "faulted"}
            await people.ok("registered", "POST", "/generate/submit", faulted)
            assert (await people.horde.call("DELETE", path, key=key)).json()["rc"] == "Locked"
            people.horde.clock.advance(3600)
            await janitor.sweep_expired(people.horde.co)
            before = await people.ok("registered", "GET", "/find_user")
            gone = await people.ok("registered", "DELETE", path)
            validate("DELETE /workers/{worker_id}", 200, gone)
            assert gone == {"deleted_id": people.cast.things["worker_id"], "deleted_name": "painter"}
            assert (await people.horde.call("GET", path)).status_code == 404
            after = await people.ok("registered", "GET", "/find_user")
            assert after["kudos"] == before["kudos"] and after["worker_count"] == before["worker_count"] - 1
            assert (await pop(people)).status_code == 200  # as a new worker

    run(main())


def test_messages_come_with_every_pop_until_they_expire(people_template: Template, tmp_path: Path) -> None:
    async def told(people: People) -> list[str]:
        found = []
        for path, body in (("/generate/pop", IMAGE_POP), ("/generate/text/pop", TEXT_POP)):
            answer = await people.ok("registered", "POST", path, body)
            validate(f"POST {path}", 200, answer)
            found.append(", ".join(message["message"] for message in answer["messages"]))
        return found

    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            assert await told(people) == ["hello", ""]
            sent = await people.ok("moderator", "POST", "/workers/messages", {"message": "to all", "expiry": 1})
            validate("POST /workers/messages", 200, sent)
            assert sent["origin"] == "AI Horde Moderators" and "worker_id" not in sent
            await people.ok("other", "POST", "/generate/async", IMAGE_REQUEST)
            assert await told(people) == ["hello, to all", "to all"]  # with a job, and without
            gone = await people.ok("registered", "DELETE", people.path("/workers/messages/{message_id}"))
            validate("DELETE /workers/messages/{message_id}", 200, gone)
            assert await told(people) == ["to all", "to all"]
            people.horde.clock.advance(3601)
            assert await told(people) == ["", ""]

    run(main())


def test_messages_survive_a_restart_and_show_their_sender(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            message = await people.horde.ok("GET", people.path("/workers/messages/{message_id}"))
            validate("GET /workers/messages/{message_id}", 200, message)
            user = people.cast.ids["registered"]
            assert (message["user_id"], message["origin"]) == (str(user), f"registered#{user}")
            assert message["created"].startswith("Tue, 14 Nov 2023")
            assert message["expiry"] != message["created"]
            assert (await pop(people)).json()["messages"][0]["id"] == message["id"]
            assert (await seen(people, "moderator"))["messages"] == [message]
            assert "messages" not in await seen(people)

    run(main())


def test_who_sees_which_messages(people_template: Template, tmp_path: Path) -> None:
    async def texts(people: People, who: str, query: str = "") -> list[str]:
        listed = await people.ok(who, "GET", f"/workers/messages{query}")
        validate("GET /workers/messages", 200, listed)
        return [message["message"] for message in listed]

    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            await people.ok("moderator", "POST", "/workers/messages", {"message": "to all", "origin": "us"})
            to_one = {"message": "to one", "worker_id": people.cast.things["worker_id"], "expiry": 1}
            await people.ok("moderator", "POST", "/workers/messages", to_one)
            assert sorted(await texts(people, "registered")) == ["hello", "to all", "to one"]
            assert await texts(people, "other") == ["to all"]
            assert await texts(people, "anonymous") == ["to all"]
            own = people.cast.ids["registered"]
            assert await texts(people, "registered", f"?user_id={own}") == ["hello"]
            assert sorted(await texts(people, "moderator", people.path("?worker_id={worker_id}"))) == [
                "hello",
                "to one",
            ]
            people.horde.clock.advance(2 * 3600)
            assert await texts(people, "registered", "?validity=expired") == ["to one"]
            assert len(await texts(people, "registered", "?validity=all")) == 3
            assert len(await texts(people, "registered", "?validity=active")) == 2
            for i in range(60):
                await people.ok("moderator", "POST", "/workers/messages", {"message": f"number {i}"})
            assert [len(await texts(people, "other", f"?page={page}")) for page in (1, 2, 3, 99999)] == [50, 11, 0, 0]
            wrong = await people.horde.call("GET", "/workers/messages?validity=odd", key=people.cast.keys["other"])
            assert list(wrong.json()["errors"]) == ["validity"]

    run(main())


async def faulted_jobs(horde: Horde, key: str, count: int) -> None:
    for _ in range(count):
        await horde.ok("POST", "/generate/text/async", TEXT_REQUEST, key="0000000000")
        job = await horde.ok("POST", "/generate/text/pop", TEXT_POP, key=key)
        await horde.ok(
            "POST", "/generate/text/submit", {"id": job["id"], "generation": "x", "state": "faulted"}, key=key
        )


def test_too_many_failed_jobs_in_an_hour_end_in_maintenance(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            key = str(people.cast.keys["registered"])
            await faulted_jobs(people.horde, key, 20)
            people.horde.clock.advance(3600)
            await faulted_jobs(people.horde, key, 20)
            worker = await people.horde.ok("GET", "/workers/name/writer", key=people.cast.keys["moderator"])
            assert not worker["maintenance_mode"] and worker["uncompleted_jobs"] == 40
            await faulted_jobs(people.horde, key, 1)
            worker = await people.horde.ok("GET", "/workers/name/writer", key=people.cast.keys["moderator"])
            assert worker["maintenance_mode"] and worker["suspicious"] == 1
            user = await people.ok("moderator", "GET", people.path("/users/{user_id}"))
            assert user["suspicious"] == 1
            await people.ok("registered", "PUT", f"/workers/{worker['id']}", {"maintenance": False})
            await faulted_jobs(people.horde, key, 20)
            worker = await people.horde.ok("GET", "/workers/name/writer")
            assert not worker["maintenance_mode"]
            reset = await people.ok("moderator", "PUT", people.path("/users/{user_id}"), {"reset_suspicion": True})
            assert reset == {"new_suspicion": 0}
            worker = await people.horde.ok("GET", "/workers/name/writer", key=people.cast.keys["moderator"])
            assert worker["suspicious"] == 0

    run(main())


def test_the_owner_of_the_node_looks_after_its_own_workers(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            pop_ = TEXT_POP | {"name": "the node's own"}
            for _ in range(25):
                await people.horde.ok("POST", "/generate/text/async", TEXT_REQUEST, key="0000000000")
                job = await people.ok("admin", "POST", "/generate/text/pop", pop_)
                body = {"id": job["id"], "generation": "x", "state": "faulted"}
                await people.ok("admin", "POST", "/generate/text/submit", body)
            worker = await people.horde.ok("GET", "/workers/name/the%20node's%20own")
            assert not worker["maintenance_mode"] and worker["uncompleted_jobs"] == 25

    run(main())


@pytest.mark.parametrize(("seconds", "suspicions"), [(0.001, 1), (2.0, 0)])
def test_a_worker_that_is_too_fast_is_written_down_and_goes_on(
    people_template: Template, tmp_path: Path, seconds: float, suspicions: int
) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            await people.horde.ok("POST", "/generate/text/async", TEXT_REQUEST, key="0000000000")
            job = await people.ok("registered", "POST", "/generate/text/pop", TEXT_POP)
            people.horde.clock.advance(seconds)
            await people.ok("registered", "POST", "/generate/text/submit", {"id": job["id"], "generation": "a text"})
            worker = await people.horde.ok("GET", "/workers/name/writer", key=people.cast.keys["moderator"])
            assert (worker["suspicious"], worker["paused"]) == (suspicions, False)

    run(main())


def test_an_offer_beyond_what_can_be_asked_is_written_down_once(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            for _ in range(3):
                people.horde.clock.advance(60)
                await people.ok("registered", "POST", "/generate/pop", IMAGE_POP | {"max_pixels": 3073 * 3073})
            assert (await seen(people, "moderator"))["suspicious"] == 1
            user = await people.ok("moderator", "GET", people.path("/users/{user_id}"))
            assert user["suspicious"] == 1 and not user["trusted"]

    run(main())


def test_a_word_is_refused_whole_and_in_any_case(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path, refused_words=("bad", "very bad")) as horde:
            key = await horde.user("somebody")
            for name, status in (("BAD worker", 400), ("a badger", 200), ("not-bad", 400), ("bad1", 200)):
                answer = await horde.call("POST", "/generate/pop", IMAGE_POP | {"name": name}, key=key)
                assert answer.status_code == status, name

    run(main())


def test_no_more_of_an_offer_counts_than_the_contract_stores(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            models = [f"model {i}" for i in range(301)]
            names = {"priority_usernames": [f"friend#{i}" for i in range(1000)]}
            await people.ok("other", "POST", "/generate/pop", IMAGE_POP | {"name": "many", "models": models} | names)
            worker = await people.horde.ok("GET", "/workers/name/many")
            assert worker["models"] == models[:300]
            asked = IMAGE_REQUEST | {"prompt": "an antidisestablish tree", "models": ["model one"]}
            await people.horde.ok("POST", "/generate/async", asked, key="0000000000")
            long_word = {"blacklist": ["antidisestablishmentarianism"]}
            answer = await people.ok("other", "POST", "/generate/pop", IMAGE_POP | {"name": "many"} | long_word)
            assert answer["id"] is None and answer["skipped"]["blacklist"] == 1

    run(main())
