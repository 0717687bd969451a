"""A machine joins as a worker with a code, once: POST /api/node/v1/workers, and the invitations that it takes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.aio import run
from tests.support.horde import BASE, IMAGE_POP, Horde, open_horde
from tests.support.people import REFUSED_WORD, Cast, People, open_people

NODE = "/api/node/v1"
MACHINE, OTHER_MACHINE = "a" * 64, "b" * 64
DAY_S = 86_400
Template = tuple[Path, Cast]


async def call(
    horde: Horde, method: str, path: str, body: Any = None, *, key: str | None = None, address: str = "127.0.0.1"
) -> httpx.Response:
    headers = {} if key is None else {"apikey": key}
    transport = httpx.ASGITransport(app=horde.app, client=(address, 5000))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        return await http.request(method, NODE + path, json=body, headers=headers)


async def join(
    horde: Horde, code: str, attempt: str = MACHINE, name: str = "garage", address: str = "127.0.0.1"
) -> httpx.Response:
    return await call(horde, "POST", "/workers", {"code": code, "name": name, "attempt": attempt}, address=address)


async def invited(people: People, **options: Any) -> dict[str, Any]:
    answer = await call(
        people.horde, "POST", "/invitations", {"worker": True} | options, key=people.cast.keys["moderator"]
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_machine_gets_an_account_of_its_own_that_may_work_and_nothing_else(
    people_template: Template, tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            made = await invited(people)
            assert made["worker"] and made["uses"] == 1 and made["trusted"]
            joined = (await join(people.horde, made["code"])).json()
            assert joined["name"] == "garage" and joined["username"] == f"garage#{joined['id']}"
            shown = await people.horde.ok("GET", "/find_user", key=joined["apikey"])
            assert (shown["id"], shown["trusted"], shown["moderator"], shown["kudos"]) == (joined["id"], True, False, 0)
            await people.ok("admin", "PUT", "/status/modes", {"invite_only_mode": True})
            for path, kind in (("/generate/pop", "images"), ("/generate/text/pop", "texts")):
                await people.horde.ok("POST", path, IMAGE_POP | {"name": f"garage {kind}"}, key=joined["apikey"])

    run(main())


def test_a_code_works_once_but_the_same_machine_may_ask_again_for_a_lost_answer(
    people_template: Template, tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            code = (await invited(people))["code"]
            first = await join(people.horde, code)
            again = await join(people.horde, code.lower().replace("-", ""))
            assert first.json() == again.json()
            refused = await join(people.horde, code, OTHER_MACHINE, "cellar")
            assert refused.status_code == 403 and refused.json()["rc"] == "Forbidden"
            assert "used already by 'garage'" in refused.json()["message"]
            assert "hordenode invite --worker" in refused.json()["message"]
            people.horde.clock.advance(2 * DAY_S)
            assert (await join(people.horde, code)).json() == first.json()
        async with open_horde(tmp_path, seed=2) as horde:
            assert (await join(horde, code)).json() == first.json()
            assert (await join(horde, code, OTHER_MACHINE)).status_code == 403

    run(main())


def test_of_fifty_machines_at_once_one_gets_in(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            code = (await invited(people))["code"]
            answers = await asyncio.gather(
                *(join(people.horde, code, f"{n:064}", f"machine {n}", f"10.0.0.{n}") for n in range(50))
            )
            assert sorted(answer.status_code for answer in answers) == [200] + [403] * 49
            rows = await people.horde.rows("SELECT count(*) FROM users WHERE name LIKE 'machine %'")
            assert rows == [(1,)]

    run(main())


def test_codes_end_are_revoked_and_are_for_what_they_were_made_for(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path, registration="invite") as people:
            horde, moderator = people.horde, people.cast.keys["moderator"]
            revoked = await invited(people)
            assert (await call(horde, "DELETE", f"/invitations/{revoked['id']}", key=moderator)).status_code == 200
            assert (await call(horde, "DELETE", f"/invitations/{revoked['id']}", key=moderator)).status_code == 400
            late, peoples, workers = await invited(people), await invited(people, worker=False), await invited(people)
            person = {"username": "newcomer", "invitation": workers["code"]}
            for answer, words in (
                (await join(horde, "0000-0000-0000-0000"), "not known here"),
                (await join(horde, revoked["code"]), "not known here"),
                (await join(horde, peoples["code"]), "for people"),
                (await call(horde, "POST", "/users", person), "for a machine"),
            ):
                assert answer.status_code == 403 and words in answer.json()["message"]
            horde.clock.advance(DAY_S)
            expired = await join(horde, late["code"])
            assert expired.status_code == 403 and "has expired" in expired.json()["message"]

    run(main())


def test_invitations_are_listed_without_their_codes_and_a_revoked_one_ends_its_machine(
    people_template: Template, tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            horde, moderator = people.horde, people.cast.keys["moderator"]
            used, still_open = await invited(people), await invited(people, worker=False, uses=3, days=0)
            late = await invited(people, days=1)
            key = (await join(horde, used["code"])).json()["apikey"]
            horde.clock.advance(DAY_S)
            listed = (await call(horde, "GET", "/invitations", key=moderator)).json()
            found = {each["id"]: each for each in listed}
            assert {name: each["state"] for name, each in found.items()} == {
                used["id"]: "used",
                still_open["id"]: "open",
                late["id"]: "expired",
            }
            assert found[used["id"]]["joined"].startswith("garage#") and found[still_open["id"]]["uses"] == 3
            assert not any(made["code"] in str(listed) for made in (used, still_open, late))
            await call(horde, "DELETE", f"/invitations/{used['id']}", key=moderator)
            assert (await horde.call("GET", "/find_user", key=key)).status_code == 404
            popped = await horde.call("POST", "/generate/pop", IMAGE_POP | {"name": "garage images"}, key=key)
            assert popped.status_code == 401
            assert (await join(horde, used["code"])).status_code == 403

    run(main())


def test_neither_codes_nor_keys_are_stored(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            code = (await invited(people))["code"]
            key = (await join(people.horde, code)).json()["apikey"]
        stored = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
        for secret in (code, code.replace("-", ""), key, MACHINE):
            assert secret.encode() not in stored

    run(main())


def test_guessing_is_slowed_down_for_each_address_and_right_codes_do_not_count(
    people_template: Template, tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path, registration="invite") as people:
            horde = people.horde
            codes = [(await invited(people))["code"] for _ in range(12)]
            for number, code in enumerate(codes[:11]):
                assert (await join(horde, code, f"{number:064}", address="10.0.0.9")).status_code == 200
            guesses = await asyncio.gather(*(join(horde, f"guess {n}", address="10.0.0.9") for n in range(30)))
            assert sorted(answer.status_code for answer in guesses) == [403] * 10 + [429] * 20
            slow = await join(horde, codes[11], address="10.0.0.9")
            assert slow.status_code == 429 and 0 < int(slow.headers["retry-after"]) <= 60
            assert "Try again in" in slow.json()["message"]
            person = {"username": "newcomer", "invitation": codes[11]}
            assert (await call(horde, "POST", "/users", person, address="10.0.0.9")).status_code == 429
            six = await asyncio.gather(*(join(horde, "guess", address=f"2001:db8::{n:x}") for n in range(12)))
            assert [answer.status_code for answer in six].count(429) == 2
            assert (await join(horde, codes[11], address="10.0.0.8")).status_code == 200
            horde.clock.advance(60)
            assert (await join(horde, codes[0], "0" * 64, address="10.0.0.9")).status_code == 200

    run(main())


def test_names_that_are_taken_get_a_number_and_bad_ones_are_refused(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            horde, owner = people.horde, people.cast.keys["trusted"]
            await horde.ok("POST", "/generate/pop", IMAGE_POP | {"name": "attic images"}, key=owner)
            for wanted, given in (
                ("garage", "garage"),
                ("garage", "garage 2"),
                ("garage", "garage 3"),
                ("attic", "attic 2"),
                ("x" * 30, "x" * 30),
                ("x" * 30, "x" * 28 + " 2"),
            ):
                code = (await invited(people))["code"]
                assert (await join(horde, code, name=wanted)).json()["name"] == given
            code = (await invited(people))["code"]
            for bad, status, rc in (
                (f"a {REFUSED_WORD}", 400, "ProfaneWorkerName"),
                ("with#hash", 400, "BadRequest"),
                ("x" * 31, 400, None),
                ("", 400, None),
            ):
                refused = await join(horde, code, name=bad)
                assert (refused.status_code, refused.json().get("rc")) == (status, rc)
            assert (await join(horde, code, name="barn")).status_code == 200

    run(main())


@pytest.mark.parametrize("options", [{"uses": 2}, {"days": 0}])
def test_a_workers_code_works_once_and_ends(people_template: Template, tmp_path: Path, options: dict[str, int]) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            body = {"worker": True} | options
            answer = await call(people.horde, "POST", "/invitations", body, key=people.cast.keys["moderator"])
            assert answer.status_code == 400 and answer.json()["rc"] == "BadRequest"

    run(main())


def test_an_address_in_timeout_cannot_join(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            code = (await invited(people))["code"]
            await people.ok("moderator", "POST", "/operations/ipaddr", {"ipaddr": "10.0.0.9", "hours": 1})
            assert (await join(people.horde, code, address="10.0.0.9")).json()["rc"] == "TimeoutIP"
            assert (await join(people.horde, code)).status_code == 200

    run(main())
