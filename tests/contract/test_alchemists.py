"""Who may be an alchemist, and whose results count (contract 11, 12)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hordenode.store.tx import Statement
from tests.contract.schema import validate
from tests.support.aio import run
from tests.support.alchemy import ASYNC, POP, SUBMIT, UNKNOWN, ask, checked, pop
from tests.support.horde import ALCHEMY_POP, ALCHEMY_REQUEST, ANONYMOUS, IMAGE_POP, Horde, open_horde


async def _set(horde: Horde, sql: str) -> None:
    await horde.co.db.write(lambda tx: tx.run(Statement("test.set", sql)))


@pytest.mark.parametrize(
    ("sql", "change", "status_code", "rc"),
    [
        ("", {"priority_usernames": ["nobody"]}, 400, "BadRequest"),
        ("UPDATE users SET deleted = 1 WHERE id > 0", {}, 403, "DeletedUser"),
        ("UPDATE users SET flagged = 1 WHERE id > 0", {}, 403, "WorkerFlaggedMaintenance"),
        ("UPDATE workers SET maintenance = 1", {}, 403, "WorkerMaintenance"),
        ("", {"name": "painter"}, 400, "PolymorphicNameConflict"),
        ("", {"name": "somebody's alchemist"}, 403, "WrongCredentials"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_alchemists_that_may_not_pop_are_told_why(
    tmp_path: Path, sql: str, change: dict[str, Any], status_code: int, rc: str
) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key, other = await horde.worker_key(), await horde.user("somebody")
            await pop(horde, key)
            await pop(horde, other, name="somebody's alchemist")
            await horde.ok("POST", "/generate/pop", IMAGE_POP, key=key)
            if sql:
                await _set(horde, sql)
            refused = await checked(horde, "POST", status_code, POP, ALCHEMY_POP | change, key)
            assert refused["rc"] == rc

    run(main())


def test_pops_need_a_registered_key_and_room_for_workers(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            assert (await checked(horde, "POST", 401, POP, ALCHEMY_POP, "nobody's key"))["rc"] == "InvalidAPIKey"
            assert (await checked(horde, "POST", 403, POP, ALCHEMY_POP, ANONYMOUS))["rc"] == "AnonForbiddenWorker"
            for trusted, limit, rc in ((False, 3, "TooManyWorkers"), (True, 20, "TooManyWorkersTrusted")):
                key = await horde.user(f"owner {trusted}", trusted=trusted)
                for number in range(limit):
                    await pop(horde, key, name=f"{trusted} {number}")
                refused = await checked(horde, "POST", 403, POP, ALCHEMY_POP | {"name": f"{trusted} more"}, key)
                assert refused["rc"] == rc

    run(main())


def test_a_paused_alchemist_gets_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            await pop(horde, key)
            await _set(horde, "UPDATE workers SET paused = 1")
            await ask(horde, "caption")
            assert await pop(horde, key) == []

    run(main())


def test_submissions_are_checked_and_exactly_one_wins(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key, stranger = await horde.worker_key(), await horde.user("stranger")
            await ask(horde, "caption")
            (form,) = await pop(horde, key)
            body = {"id": form["id"], "result": {"caption": "a"}}
            for bad, who, code, rc in (
                (body | {"id": UNKNOWN}, key, 404, "InvalidJobID"),
                (body, "nobody's key", 401, "InvalidAPIKey"),
                (body, stranger, 403, "WrongCredentials"),
            ):
                assert (await checked(horde, "POST", code, SUBMIT, bad, who))["rc"] == rc
            refused = await checked(horde, "POST", 400, SUBMIT, body | {"result": "text"}, key)
            assert list(refused["errors"]) == ["result"]
            await checked(horde, "POST", 200, SUBMIT, body | {"state": "any word"}, key)
            assert (await checked(horde, "POST", 400, SUBMIT, body, key))["rc"] == "DuplicateGen"
            await _set(horde, "UPDATE workers SET maintenance = 1")
            assert (await checked(horde, "POST", 200, SUBMIT, body, key))["reward"] == 0

    run(main())


@pytest.mark.parametrize(
    ("rules", "change", "rc"),
    [
        ({"refused_words": ("rude",)}, {"name": "a rude name"}, "ProfaneWorkerName"),
        ({"refused_words": ("rude",)}, {"bridge_agent": "rude agent:1:here"}, "ProfaneBridgeAgent"),
        ({"workers_per_address": 1}, {"name": "one more"}, "TooManySameIPs"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_owner_decides_which_alchemists_may_come(
    tmp_path: Path, rules: dict[str, Any], change: dict[str, Any], rc: str
) -> None:
    async def main() -> None:
        async with open_horde(tmp_path, **rules) as horde:
            await horde.user("the owner of the horde")
            key = await horde.user("owner of workers")
            await pop(horde, key, name="the first")
            body = ALCHEMY_POP | {"name": "another"} | change
            answer = await horde.call("POST", POP, body, key=key)
            validate(f"POST {POP}", answer.status_code, answer.json())
            assert answer.json()["rc"] == rc

    run(main())


def test_shared_keys_are_not_accepted(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            shared = await horde.ok("PUT", "/sharedkeys", {"name": "for friends"}, key=await horde.user())
            for method, path, body in (("POST", ASYNC, ALCHEMY_REQUEST), ("POST", POP, ALCHEMY_POP)):
                assert (await checked(horde, method, 401, path, body, shared["id"]))["rc"] == "InvalidAPIKey"

    run(main())
