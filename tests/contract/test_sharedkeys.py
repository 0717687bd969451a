"""Shared keys: their limits, their budget, and what they may be used for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hordenode.coordinator.context import Caller
from hordenode.coordinator.payers import Payer, check_key, find_payer
from hordenode.domain.spec import Audience, TextSpec
from hordenode.protocol.errors import HordeError
from tests.contract.schema import validate
from tests.support.aio import run
from tests.support.horde import ALCHEMY_REQUEST, IMAGE_REQUEST, TEXT_POP, TEXT_REQUEST
from tests.support.invariants import broken_rules
from tests.support.people import Cast, People, open_people

Template = tuple[Path, Cast]


async def change(people: People, body: dict[str, Any]) -> Any:
    answer = await people.ok("registered", "PATCH", people.path("/sharedkeys/{sharedkey_id}"), body)
    validate("PATCH /sharedkeys/{sharedkey_id}", 200, answer)
    return answer


async def shown(people: People) -> Any:
    answer = await people.horde.ok("GET", people.path("/sharedkeys/{sharedkey_id}"))
    validate("GET /sharedkeys/{sharedkey_id}", 200, answer)
    return answer


async def ask(people: People, body: dict[str, Any], kind: str = "text/") -> Any:
    return await people.horde.call("POST", f"/generate/{kind}async", body, key=people.cast.keys["shared key"])


def test_a_new_key_has_the_defaults_and_shows_its_owner(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            made = await people.ok("registered", "PUT", "/sharedkeys", {})
            validate("PUT /sharedkeys", 200, made)
            assert made["username"] == f"registered#{people.cast.ids['registered']}"
            assert (made["kudos"], made["utilized"], made["max_image_pixels"]) == (5000, 0, -1)
            assert "expiry" not in made and "name" not in made and "hordenode" not in made
            for days in (0, -1):
                assert "expiry" not in await change(people, {"expiry": days})
            assert "expiry" in await change(people, {"expiry": 10**12})
            assert (await change(people, {"kudos": -1}))["kudos"] == -1
            owner = await people.ok("registered", "GET", "/find_user")
            assert len(owner["sharedkey_ids"]) == 2

    run(main())


@pytest.mark.parametrize(
    "body",
    [
        {"kudos": 50_000_001},
        {"kudos": -2},
        {"max_image_pixels": 4_194_305},
        {"max_image_steps": 501},
        {"max_text_tokens": 501},
        {"expiry": -2},
        {"name": "ab"},
    ],
    ids=str,
)
def test_bounds_are_enforced(people_template: Template, tmp_path: Path, body: dict[str, Any]) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            key = people.cast.keys["registered"]
            for method, path in (("PUT", "/sharedkeys"), ("PATCH", people.path("/sharedkeys/{sharedkey_id}"))):
                answer = await people.horde.call(method, path, body, key=key)
                assert answer.status_code == 400 and list(answer.json()["errors"]) == list(body)

    run(main())


@pytest.mark.parametrize(("who", "most"), [("registered", 3), ("trusted", 10)])
def test_how_many_keys_a_user_may_have(people_template: Template, tmp_path: Path, who: str, most: int) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            have = len((await people.ok(who, "GET", "/find_user"))["sharedkey_ids"])
            for _ in range(most - have):
                await people.ok(who, "PUT", "/sharedkeys", {})
            refused = await people.horde.call("PUT", "/sharedkeys", {}, key=people.cast.keys[who])
            assert refused.json()["rc"] == "Forbidden" and str(most) in refused.json()["message"]

    run(main())


def test_the_owner_pays_and_the_budget_shrinks_with_it(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            before = await people.ok("registered", "GET", "/find_user")
            accepted = (await ask(people, TEXT_REQUEST)).json()
            assert accepted["id"] in (await people.ok("registered", "GET", "/find_user"))["active_generations"]["text"]
            worker = await people.horde.worker_key()
            job = await people.horde.ok("POST", "/generate/text/pop", TEXT_POP | {"name": "another"}, key=worker)
            await people.horde.ok(
                "POST", "/generate/text/submit", {"id": job["id"], "generation": "x" * 400}, key=worker
            )
            after = await people.ok("registered", "GET", "/find_user")
            key = await shown(people)
            spent = before["kudos"] - after["kudos"]
            assert spent > 1
            assert key["kudos"] == int(5000 - spent) and key["utilized"] == int(spent)
            assert await people.horde.ledger_sum() == 0

    run(main())


def test_a_spent_budget_counts_no_more_and_an_endless_one_counts_use_only(
    people_template: Template, tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            worker = await people.horde.worker_key()
            await change(people, {"kudos": 1000})
            accepted = await ask(people, TEXT_REQUEST)
            assert accepted.status_code == 202
            await change(people, {"kudos": 1})
            job = await people.horde.ok("POST", "/generate/text/pop", TEXT_POP | {"name": "another"}, key=worker)
            await people.horde.ok(
                "POST", "/generate/text/submit", {"id": job["id"], "generation": "x" * 400}, key=worker
            )
            spent = await shown(people)
            assert spent["kudos"] == 0 and spent["utilized"] >= 2
            assert (await ask(people, TEXT_REQUEST)).json()["rc"] == "SharedKeyEmpty"
            await change(people, {"kudos": -1})
            assert (await ask(people, TEXT_REQUEST)).status_code == 202
            endless = await shown(people)
            assert endless["kudos"] == -1 and endless["utilized"] == spent["utilized"] + 1

    run(main())


@pytest.mark.parametrize("kudos", [0, 1])
def test_what_the_budget_does_not_pay_may_run_behind_all_others(
    people_template: Template, tmp_path: Path, kudos: int
) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            await change(people, {"kudos": kudos})
            accepted = await ask(people, TEXT_REQUEST | {"allow_downgrade": True})
            assert accepted.status_code == 202
            later = await people.horde.ok(
                "POST", "/generate/text/async", TEXT_REQUEST, key=people.cast.keys["anonymous"]
            )
            found = {
                row[0]: row[1:] for row in await people.horde.rows("SELECT id, user_id, order_key FROM waiting_prompts")
            }
            owner = people.cast.ids["registered"] if kudos else 0
            assert found[accepted.json()["id"]][0] == owner
            assert found[accepted.json()["id"]][1] < found[later["id"]][1]

    run(main())


def test_a_key_can_be_limited_to_models(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            changed = await change(people, {"hordenode": {"models": ["model one", "model one"]}})
            assert changed["hordenode"] == {"models": ["model one"]}
            assert (await ask(people, TEXT_REQUEST)).status_code == 202
            for models in (["another"], ["model one", "another"], []):
                refused = await ask(people, TEXT_REQUEST | {"models": models})
                assert refused.json()["rc"] == "BadRequest" and "model one" in refused.json()["message"]
            await change(people, {"hordenode": {"models": []}})
            assert (await ask(people, TEXT_REQUEST | {"models": ["another"]})).status_code == 202

    run(main())


def test_limits_let_through_what_just_fits(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            await change(people, {"max_image_pixels": 256 * 256, "max_image_steps": 20, "max_text_tokens": 80})
            assert (await ask(people, IMAGE_REQUEST, "")).status_code == 202
            assert (await ask(people, TEXT_REQUEST)).status_code == 202
            dry = await ask(
                people, IMAGE_REQUEST | {"dry_run": True, "params": {"steps": 21, "width": 64, "height": 64}}, ""
            )
            assert dry.json()["rc"] == "BadRequest"

    run(main())


def test_a_shared_key_is_no_key_of_a_user(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            key = people.cast.keys["shared key"]
            for path, body in (
                ("/generate/text/pop", TEXT_POP),
                ("/interrogate/async", ALCHEMY_REQUEST),
                ("/kudos/transfer", {"username": "other#3", "amount": 1}),
            ):
                assert (await people.horde.call("POST", path, body, key=key)).json()["rc"] == "InvalidAPIKey"
            found = await people.horde.ok("GET", "/find_user", key=key)
            validate("GET /find_user", 200, found)
            owner = people.cast.ids["registered"]
            assert found["username"] == f"registered#{owner} (Shared Key: for friends)"
            assert "sharedkey_ids" not in found

    run(main())


def test_deleting_a_key_deletes_what_was_asked_with_it(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            with_key = (await ask(people, TEXT_REQUEST)).json()["id"]
            own = (await people.ok("registered", "POST", "/generate/text/async", TEXT_REQUEST))["id"]
            gone = await people.ok("registered", "DELETE", people.path("/sharedkeys/{sharedkey_id}"))
            validate("DELETE /sharedkeys/{sharedkey_id}", 200, gone)
            assert (await people.horde.call("GET", f"/generate/text/status/{with_key}")).status_code == 404
            assert (await people.horde.ok("GET", f"/generate/text/status/{own}"))["queue_position"] == 1
            assert (await ask(people, TEXT_REQUEST)).json()["rc"] == "InvalidAPIKey"
        assert broken_rules(tmp_path / "hordenode.db") == {}

    run(main())


def test_the_key_of_a_style_pays_in_place_of_the_caller_while_it_can(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            key_id, owner = people.cast.things["sharedkey_id"], people.cast.ids["registered"]
            spec = TextSpec(prompt="x", audience=Audience(), max_length=500)

            async def payer(who: str) -> Payer:
                caller = Caller(apikey=people.cast.keys[who])
                return await people.horde.co.db.read(
                    lambda tx: find_payer(tx, people.horde.co, caller, downgrade=False, style_key=key_id)
                )

            await change(people, {"max_text_tokens": 1})
            found = await payer("other")
            assert (found.user.id, found.key and found.key.id) == (owner, key_id)
            assert check_key(found, spec, 10**12, downgrade=False) == found
            with pytest.raises(HordeError, match="API key"):
                await payer("nobody")
            await change(people, {"kudos": 0})
            assert (await payer("other")).user.id == people.cast.ids["other"]
            await change(people, {"kudos": 1, "expiry": 1})
            people.horde.clock.advance(2 * 86_400)
            assert (await payer("other")).key is None

    run(main())
