"""Users: what others and they themselves see, and what changes with each field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hordenode.coordinator import janitor
from hordenode.coordinator.monthly import pay_monthly
from hordenode.coordinator.trust import trust_proven
from tests.contract.schema import validate
from tests.support.aio import run
from tests.support.horde import IMAGE_POP, IMAGE_REQUEST, TEXT_POP, TEXT_REQUEST, open_horde
from tests.support.invariants import broken_rules
from tests.support.people import Cast, People, open_people

DAY_S = 86_400
Template = tuple[Path, Cast]


async def edit(people: People, who: str, change: dict[str, Any], user: str = "registered") -> Any:
    """A change that must succeed, as the contract shapes its answer."""
    answer = await people.ok(who, "PUT", f"/users/{people.cast.ids[user]}", change)
    validate("PUT /users/{user_id}", 200, answer)
    return answer


async def seen_by(people: People, who: str, user: str = "registered") -> Any:
    answer = await people.horde.ok("GET", f"/users/{people.cast.ids[user]}", key=people.cast.keys[who])
    validate("GET /users/{user_id}", 200, answer)
    return answer


def test_users_are_listed_by_kudos_and_by_age_in_pages_of_25(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            for i in range(30):
                await horde.user(f"user {i}", kudos_amount=(i * 7) % 30 * 100 + 100)
            first, second = [await horde.ok("GET", f"/users?page={page}") for page in (1, 2)]
            validate("GET /users", 200, first)
            assert [len(first), len(second)] == [25, 6]  # with the anonymous user
            amounts = [user["kudos"] for user in first + second]
            assert amounts == sorted(amounts, reverse=True)
            oldest = await horde.ok("GET", "/users?sort=age")
            assert [user["id"] for user in oldest] == list(range(25))
            assert await horde.ok("GET", "/users?page=3") == []
            assert await horde.ok("GET", "/users?page=10001") == []
            assert (await horde.ok("GET", "/users?page=-1&sort=nonsense"))[0]["id"] == first[0]["id"]

    run(main())


def test_each_level_shows_more(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            await edit(people, "registered", {"contact": "by mail"})
            await edit(people, "moderator", {"admin_comment": "pays on time"})
            public, own, inside = [await seen_by(people, who) for who in ("none", "registered", "moderator")]
            assert await seen_by(people, "trusted") == public
            private = {"worker_ids", "sharedkey_ids", "contact", "vpn", "special", "active_generations"}
            assert set(own) - set(public) == private
            assert set(inside) - set(own) == {"evaluating_kudos", "monthly_kudos", "suspicious", "admin_comment"}
            assert own["sharedkey_ids"] == [people.cast.things["sharedkey_id"]]
            assert inside["admin_comment"] == "pays on time" and own["contact"] == "by mail"
            assert len(own["worker_ids"]) == own["worker_count"] == 2
            await edit(people, "registered", {"public_workers": True})
            assert (await seen_by(people, "none"))["worker_ids"] == own["worker_ids"]
            assert await people.ok("registered", "GET", "/find_user") == own

    run(main())


def test_a_user_is_found_by_its_alias(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            expected = await seen_by(people, "none")
            user_id = people.cast.ids["registered"]
            for alias in (f"registered%23{user_id}", f"whoever%23%23{user_id}"):
                assert await people.horde.ok("GET", f"/users/{alias}") == expected
            for wrong in ("2147483648", "-1", "1.0", "registered", "%23"):
                assert (await people.horde.call("GET", f"/users/{wrong}")).json()["rc"] == "UserNotFound"

    run(main())


@pytest.mark.parametrize(
    ("who", "change", "answer"),
    [
        ("admin", {"usage_multiplier": 0.5}, {"usage_multiplier": 0.5}),
        ("admin", {"moderator": True}, {"moderator": True, "trusted": True}),
        ("moderator", {"concurrency": 7, "worker_invited": 2}, {"concurrency": 7, "worker_invited": 2}),
        (
            "moderator",
            {"flagged": True, "customizer": True, "vpn": True},
            {"flagged": True, "customizer": True, "vpn": True},
        ),
        ("moderator", {"service": True, "special": True}, {"service": True, "special": True}),
        ("moderator", {"admin_comment": "hello there"}, {"admin_comment": "hello there"}),
        ("registered", {"public_workers": True}, {"public_workers": True}),
        ("registered", {"username": " new name "}, {"username": "new name"}),
        ("registered", {"contact": "by mail"}, {"contact": "by mail"}),
    ],
    ids=str,
)
def test_a_change_answers_with_what_was_changed(
    people_template: Template, tmp_path: Path, who: str, change: dict[str, Any], answer: dict[str, Any]
) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            assert await edit(people, who, change) == answer
            shown = await seen_by(people, "moderator")
            for name, value in answer.items():
                if name in shown and name != "username":
                    assert shown[name] == value

    run(main())


def test_fields_before_a_refused_one_stay_changed(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            path = people.path("/users/{user_id}")
            change = {"concurrency": 77, "contact": "by mail", "username": "x" * 31, "trusted": True}
            refused = await people.horde.call("PUT", path, change, key=people.cast.keys["moderator"])
            assert refused.json()["rc"] == "TooLongUserName"
            shown = await seen_by(people, "moderator")
            assert (shown["concurrency"], shown["trusted"]) == (77, True)
            assert "contact" not in shown and shown["username"].startswith("registered#")

    run(main())


def test_the_admin_gives_and_takes_kudos_but_not_below_the_floor(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            assert await edit(people, "admin", {"kudos": 250.5}) == {"new_kudos": 1250.5}
            assert await edit(people, "admin", {"kudos": -5000}) == {"new_kudos": 25.0}
            assert (await seen_by(people, "none"))["kudos_details"]["admin"] == 1000 + 250.5 - 5000
            assert await people.horde.ledger_sum() == 0

    run(main())


def test_monthly_kudos_are_a_sum_of_changes_and_a_raise_is_paid_at_once(
    people_template: Template, tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            assert await edit(people, "admin", {"monthly_kudos": 300}) == {"monthly_kudos": 300}
            shown = await seen_by(people, "moderator")
            assert shown["kudos"] == 1300 and shown["kudos_details"]["recurring"] == 300
            assert shown["monthly_kudos"]["amount"] == 300 and shown["monthly_kudos"]["last_received"]
            assert await edit(people, "admin", {"monthly_kudos": -1000}) == {"monthly_kudos": 0}
            assert (await seen_by(people, "none"))["kudos"] == 1300

    run(main())


def test_monthly_kudos_are_paid_a_calendar_month_after_the_last(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            horde = people.horde
            before = await seen_by(people, "moderator", "moderator")
            assert await pay_monthly(horde.co) == 2  # the owner and the moderator, for the first time
            after = await seen_by(people, "moderator", "moderator")
            assert after["kudos"] - before["kudos"] == after["monthly_kudos"]["amount"] == 300_000
            await edit(people, "admin", {"monthly_kudos": 40})
            horde.clock.advance(29 * DAY_S)  # it is November
            assert await pay_monthly(horde.co) == 0
            horde.clock.advance(DAY_S)
            assert await pay_monthly(horde.co) == 3
            horde.clock.advance(30 * DAY_S)  # and now December
            assert await pay_monthly(horde.co) == 0
            horde.clock.advance(70 * DAY_S)
            assert await pay_monthly(horde.co) == 3
            assert (await seen_by(people, "none"))["kudos_details"]["recurring"] == 3 * 40
            assert await horde.ledger_sum() == 0

    run(main())


def test_trust_brings_the_kudos_that_were_held_back_and_wakes_paused_workers(
    people_template: Template, tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            await people.ok("other", "POST", "/generate/text/async", TEXT_REQUEST)
            job = await people.ok("registered", "POST", "/generate/text/pop", TEXT_POP)
            await people.ok("registered", "POST", "/generate/text/submit", {"id": job["id"], "generation": "x" * 400})
            before = await seen_by(people, "moderator")
            assert before["evaluating_kudos"] > 0
            worker = people.path("/workers/{worker_id}")
            await people.ok("moderator", "PUT", worker, {"paused": True})
            await edit(people, "moderator", {"trusted": True})
            after = await seen_by(people, "moderator")
            assert after["evaluating_kudos"] == 0
            assert after["kudos"] == pytest.approx(before["kudos"] + before["evaluating_kudos"])
            assert not (await people.ok("moderator", "GET", worker))["paused"]
            assert await people.horde.ledger_sum() == 0

    run(main())


@pytest.mark.parametrize(("trust_after", "reasons", "trusted"), [(1, 4, True), (1, 5, False), (0, 4, False)])
def test_trust_is_earned_within_a_week_without_suspicion(
    people_template: Template, tmp_path: Path, trust_after: int, reasons: int, trusted: bool
) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path, trust_after=trust_after) as people:
            for _ in range(reasons):  # each is delivered faster than anybody could
                await people.ok("other", "POST", "/generate/text/async", TEXT_REQUEST)
                job = await people.ok("registered", "POST", "/generate/text/pop", TEXT_POP)
                await people.ok(
                    "registered", "POST", "/generate/text/submit", {"id": job["id"], "generation": "x" * 400}
                )
            shown = await seen_by(people, "moderator")
            assert shown["evaluating_kudos"] > 1 and shown["suspicious"] == reasons
            assert await trust_proven(people.horde.co) == 0
            people.horde.clock.advance(7 * DAY_S)
            assert await trust_proven(people.horde.co) == trusted
            after = await seen_by(people, "moderator")
            assert after["trusted"] == trusted and (after["evaluating_kudos"] == 0) == trusted
            assert await people.horde.ledger_sum() == 0

    run(main())


def test_education_brings_the_concurrency_of_a_class(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            await edit(people, "moderator", {"education": True})
            assert (await seen_by(people, "none"))["concurrency"] == 200
            await edit(people, "moderator", {"education": False})
            assert (await seen_by(people, "none"))["concurrency"] == 30
            await edit(people, "moderator", {"education": True, "concurrency": 50})
            assert (await seen_by(people, "none"))["concurrency"] == 50

    run(main())


def test_pictures_for_education_are_safe_for_work_and_by_trusted_workers(
    people_template: Template, tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            for who in ("education", "other"):
                await people.ok(who, "POST", "/generate/async", IMAGE_REQUEST | {"nsfw": True, "censor_nsfw": False})
            safe = IMAGE_POP | {"name": "safe", "nsfw": False}
            untrusted = await people.ok("registered", "POST", "/generate/pop", safe)
            assert untrusted["id"] is None
            assert (untrusted["skipped"]["nsfw"], untrusted["skipped"]["untrusted"]) == (1, 1)
            job = await people.ok("trusted", "POST", "/generate/pop", safe | {"name": "safe and trusted"})
            assert job["payload"]["use_nsfw_censor"]
            text = await people.ok("education", "POST", "/generate/text/async", TEXT_REQUEST)
            assert (await people.ok("registered", "POST", "/generate/text/pop", TEXT_POP))["id"], text

    run(main())


def test_nobody_gives_roles_to_the_anonymous_user_but_its_concurrency_can_be_set(
    people_template: Template, tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            assert await people.ok("admin", "PUT", "/users/0", {"concurrency": 10}) == {"concurrency": 10}
            for change in ({"flagged": True}, {"moderator": True}, {"username": "Somebody"}):
                answer = await people.horde.call("PUT", "/users/0", change, key=people.cast.keys["admin"])
                assert answer.json()["rc"] == "AnonForbiddenUserMod"

    run(main())


def test_an_account_is_marked_then_wiped_a_month_after_its_last_use(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            horde, path, key = people.horde, people.path("/users/{user_id}"), people.cast.keys["registered"]
            await people.ok("registered", "POST", "/generate/text/async", TEXT_REQUEST)
            validate("DELETE /users/{user_id}", 200, await people.ok("registered", "DELETE", path))
            assert (await seen_by(people, "none"))["deleted"]
            for route, body in (("/generate/async", IMAGE_REQUEST), ("/generate/pop", IMAGE_POP)):
                assert (await horde.call("POST", route, body, key=key)).json()["rc"] == "DeletedUser"
            assert await edit(people, "registered", {"undelete": True}) == {"undeleted": True}
            await people.ok("registered", "DELETE", path)
            await janitor.save_activity(horde.co)
            horde.clock.advance(31 * DAY_S)
            await people.ok("moderator", "DELETE", path)
            assert (await horde.call("GET", path)).json()["rc"] == "UserNotFound"
            assert (await horde.call("GET", "/find_user", key=key)).json()["rc"] == "UserNotFound"
            assert (await horde.call("GET", people.path("/workers/{worker_id}"))).json()["rc"] == "WorkerNotFound"
            assert (await horde.call("GET", people.path("/sharedkeys/{sharedkey_id}"))).json()["rc"] == "InvalidAPIKey"
            newest = max(people.cast.ids.values())
            await people.ok("admin", "DELETE", f"/users/{newest}")
            horde.clock.advance(31 * DAY_S)
            await people.ok("admin", "DELETE", f"/users/{newest}")
            again = await horde.user("newcomer")
            assert (await horde.ok("GET", "/find_user", key=again))["id"] == newest + 1
        assert broken_rules(tmp_path / "hordenode.db") == {}

    run(main())


def test_use_within_the_month_keeps_an_account(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            path = people.path("/users/{user_id}")
            await people.ok("registered", "DELETE", path)
            people.horde.clock.advance(29 * DAY_S)
            await people.ok("registered", "GET", "/find_user")
            for save in (False, True):
                if save:
                    await janitor.save_activity(people.horde.co)
                people.horde.clock.advance(2 * DAY_S)
                refused = await people.horde.call("DELETE", path, key=people.cast.keys["moderator"])
                assert refused.json()["rc"] == "CannotWipeActiveUser"

    run(main())


def test_a_service_speaks_for_others_with_a_passkey(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            answer = await edit(people, "service", {"generate_proxy_passkey": True}, user="service")
            assert (await seen_by(people, "moderator", "service"))["proxy_passkey"] == answer["proxy_passkey"]
            body = TEXT_REQUEST | {"proxied_account": "customer 7"}
            for passkey, address in ((answer["proxy_passkey"], "203.0.113.9"), ("x" * 22, "127.0.0.1")):
                headers = {"Proxy-Authorization": passkey, "Proxied-For": "203.0.113.9"}
                made = await people.horde.call(
                    "POST", "/generate/text/async", body, key=people.cast.keys["service"], headers=headers
                )
                assert made.status_code == 202
                rows = await people.horde.rows("SELECT address, proxied_account FROM request_specs ORDER BY rowid")
                assert rows[-1] == (address, "customer 7")

    run(main())
