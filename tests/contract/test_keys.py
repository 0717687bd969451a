"""Registration, invitations and the keys of an account."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from hordenode.coordinator import janitor
from tests.support.aio import run
from tests.support.horde import ANONYMOUS, TEXT_REQUEST, Horde, open_horde
from tests.support.people import NOBODY, REFUSED_WORD, Cast, People, open_people

NODE = "/api/node/v1"
Template = tuple[Path, Cast]


async def node_call(horde: Horde, method: str, path: str, body: Any = None, key: str | None = None) -> httpx.Response:
    headers = {} if key is None else {"apikey": key}
    return await horde.http.request(method, NODE + path, json=body, headers=headers)


async def node_ok(horde: Horde, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
    answer = await node_call(horde, method, path, body, key)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def register(horde: Horde, **fields: Any) -> httpx.Response:
    return await node_call(horde, "POST", "/users", {"username": "newcomer"} | fields)


async def invited(people: People, **options: Any) -> str:
    made = await node_ok(people.horde, "POST", "/invitations", options, people.cast.keys["moderator"])
    return str(made["code"])


def test_the_owner_makes_accounts_that_are_trusted(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            body = {"username": "newcomer", "contact": "by mail", "kudos": 70, "concurrency": 5}
            made = await node_ok(people.horde, "POST", "/users", body, people.cast.keys["admin"])
            shown = await people.horde.ok("GET", "/find_user", key=made["apikey"])
            assert shown["username"] == made["username"] and shown["id"] == made["id"]
            assert (shown["kudos"], shown["concurrency"], shown["contact"]) == (70, 5, "by mail")
            assert shown["trusted"] and not shown["moderator"] and not shown["pseudonymous"]
            refused = await node_call(people.horde, "POST", "/users", body, people.cast.keys["moderator"])
            assert refused.json()["rc"] == "NotAdmin"
            assert (await register(people.horde, trusted=True)).json()["rc"] == "NotModerator"
            for wrong in ({"kudos": 1e300}, {"concurrency": 501}, {"username": "ab"}):
                answer = await node_call(people.horde, "POST", "/users", body | wrong, people.cast.keys["admin"])
                assert answer.status_code == 400 and list(answer.json()["errors"]) == list(wrong)

    run(main())


@pytest.mark.parametrize(("registration", "status"), [("closed", 403), ("invite", 403), ("open", 200)])
def test_without_an_invitation_only_open_registration_lets_in(tmp_path: Path, registration: str, status: int) -> None:
    async def main() -> None:
        async with open_horde(tmp_path, registration=registration) as horde:
            answer = await register(horde)
            assert answer.status_code == status
            if status == 403:
                assert answer.json()["rc"] == "Forbidden"
                return
            shown = await horde.ok("GET", "/find_user", key=answer.json()["apikey"])
            assert shown["pseudonymous"] and not shown["trusted"] and shown["kudos"] == 0

    run(main())


def test_an_invitation_lets_in_as_many_as_it_says(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path, registration="invite") as people:
            code = await invited(people, uses=2, trusted=True)
            for _ in range(2):
                made = (await register(people.horde, invitation=code)).json()
                shown = await people.horde.ok("GET", "/find_user", key=made["apikey"])
                assert shown["trusted"] and not shown["pseudonymous"]
            refused = await register(people.horde, invitation=code)
            assert refused.json()["rc"] == "Forbidden" and "used already" in refused.json()["message"]

    run(main())


def test_an_invitation_ends_and_is_worth_nothing_where_registration_is_closed(
    people_template: Template, tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path / "invite", registration="invite") as people:
            short, endless = await invited(people, days=1), await invited(people, days=0)
            people.horde.clock.advance(86_401)
            assert "expired" in (await register(people.horde, invitation=short)).json()["message"]
            assert (await register(people.horde, invitation=endless)).status_code == 200
            assert (await register(people.horde, invitation="guessed")).json()["rc"] == "Forbidden"
        async with open_people(people_template, tmp_path / "closed") as people:
            code = await invited(people)
            assert "closed" in (await register(people.horde, invitation=code)).json()["message"]

    run(main())


@pytest.mark.parametrize(
    ("fields", "rc"),
    [
        ({"username": "x" * 31}, "TooLongUserName"),
        ({"username": f"a {REFUSED_WORD}"}, "ProfaneUserName"),
        ({"contact": f"a {REFUSED_WORD}"}, "ProfaneUserContact"),
        ({"username": "with#hash"}, "BadRequest"),
    ],
    ids=str,
)
def test_a_registration_is_checked(tmp_path: Path, fields: dict[str, str], rc: str) -> None:
    async def main() -> None:
        async with open_horde(tmp_path, registration="open", refused_words=(REFUSED_WORD,)) as horde:
            answer = await register(horde, **fields)
            assert answer.json()["rc"] == rc

    run(main())


async def send_form(horde: Horde, **fields: str) -> httpx.Response:
    return await horde.http.post("/register", data=fields)


def test_the_page_registers_and_shows_the_key(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path, registration="open") as horde:
            page = await horde.http.get("/register")
            assert page.status_code == 200 and "<form" in page.text
            assert page.headers["content-type"].startswith("text/html")
            done = await send_form(horde, username="<b>somebody</b>", contact="", invitation="")
            assert done.status_code == 200 and done.headers["cache-control"] == "no-store"
            assert "&lt;b&gt;somebody&lt;/b&gt;#" in done.text and "<b>" not in done.text
            key = re.search(r"<code>([\w-]{22})</code>", done.text)
            assert key is not None
            assert (await horde.ok("GET", "/find_user", key=key[1]))["username"].startswith("<b>somebody</b>#")

    run(main())


def test_the_page_says_what_is_wrong_and_keeps_what_was_entered(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path / "invite", registration="invite") as horde:
            refused = await send_form(horde, username='some"body', invitation="wrong")
            assert refused.status_code == 403 and 'role="alert"' in refused.text
            assert 'value="some&quot;body"' in refused.text
            assert (await send_form(horde, username="x", invitation="wrong")).status_code == 400
            assert (await horde.http.post("/register", json={"username": "somebody"})).status_code == 400
            assert (await send_form(horde, username="x" * 30_000)).status_code == 413
        async with open_horde(tmp_path / "closed") as horde:
            closed = await horde.http.get("/register")
            assert "Registration is closed" in closed.text and "<form" not in closed.text
            assert (await send_form(horde, username="somebody")).status_code == 403

    run(main())


def test_keys_of_an_account_have_names_and_work_side_by_side(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            horde, first = people.horde, str(people.cast.keys["registered"])
            laptop = await node_ok(horde, "POST", "/keys", {"name": "laptop"}, first)
            for key in (first, laptop["apikey"]):
                assert (await horde.ok("GET", "/find_user", key=key))["id"] == people.cast.ids["registered"]
            taken = await node_call(horde, "POST", "/keys", {"name": "laptop"}, first)
            assert taken.status_code == 400 and "Rotate" in taken.json()["message"]
            listed = await node_ok(horde, "GET", "/keys", None, first)
            assert [key["name"] for key in listed] == ["default", "laptop"]
            assert set(listed[0]) == {"name", "created", "last_used"}

    run(main())


def test_rotation_replaces_one_key_and_revoking_ends_it(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            horde, first = people.horde, str(people.cast.keys["registered"])
            rotated = await node_ok(horde, "POST", "/keys", {"name": "default", "rotate": True}, first)
            assert (await horde.call("GET", "/find_user", key=first)).status_code == 404
            key = rotated["apikey"]
            last = await node_call(horde, "DELETE", "/keys/default", None, key)
            assert last.status_code == 400 and "only key" in last.json()["message"]
            second = await node_ok(horde, "POST", "/keys", {"name": "second"}, key)
            await node_ok(horde, "DELETE", "/keys/default", None, key)
            assert (await horde.call("GET", "/find_user", key=key)).status_code == 404
            assert (await horde.call("GET", "/find_user", key=second["apikey"])).status_code == 200
            unknown = await node_call(horde, "POST", "/keys", {"name": "no such", "rotate": True}, second["apikey"])
            assert unknown.status_code == 400

    run(main())


def test_the_last_use_of_a_key_survives_a_restart(people_template: Template, tmp_path: Path) -> None:
    async def last_used(horde: Horde, key: str) -> dict[str, str | None]:
        return {item["name"]: item["last_used"] for item in await node_ok(horde, "GET", "/keys", None, key)}

    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            key = str(people.cast.keys["registered"])
            await node_ok(people.horde, "POST", "/keys", {"name": "unused"}, key)
            people.horde.clock.advance(3600)
            used = await last_used(people.horde, key)
            assert used["default"] is not None and used["unused"] is None
            await janitor.save_activity(people.horde.co)
        async with open_horde(tmp_path, seed=2) as horde:
            assert {
                row[0]: row[1] is not None
                for row in await horde.rows("SELECT name, used_ms FROM api_keys WHERE user_id = 2")
            } == {
                "default": True,
                "unused": False,
            }
            await janitor.save_activity(horde.co)  # nothing to save

    run(main())


def test_a_user_has_at_most_50_keys(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            key = str(people.cast.keys["registered"])
            for i in range(49):
                await node_ok(people.horde, "POST", "/keys", {"name": f"key {i}"}, key)
            refused = await node_call(people.horde, "POST", "/keys", {"name": "one more"}, key)
            assert refused.status_code == 400 and "50" in refused.json()["message"]

    run(main())


def test_without_anonymous_use_the_shared_key_of_all_is_unknown(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path, anonymous=False) as horde:
            for key in (ANONYMOUS, NOBODY):
                answer = await horde.call("POST", "/generate/text/async", TEXT_REQUEST, key=key)
                assert answer.json()["rc"] == "InvalidAPIKey"

    run(main())
