"""Kudos in advance, where the owner wants them (contract 5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.aio import run
from tests.support.contract import checked, refused
from tests.support.horde import ANONYMOUS, IMAGE_POP, IMAGE_REQUEST, TEXT_POP, TEXT_REQUEST, Horde, open_horde
from tests.support.invariants import broken_ledger_rules

ASYNC = {"image": "POST /generate/async", "text": "POST /generate/text/async"}
BIG = {
    "image": IMAGE_REQUEST | {"params": {"steps": 45, "width": 512, "height": 512, "n": 10}},
    "text": TEXT_REQUEST | {"params": {"max_length": 600, "n": 4}},
}
SMALL = {"image": IMAGE_REQUEST, "text": TEXT_REQUEST}


def scenario(folder: Path, play: Callable[[Horde, str], Awaitable[None]], **rules: Any) -> None:
    async def main() -> None:
        async with open_horde(folder, **({"upfront": True} | rules)) as horde:
            await horde.user("owner", admin=True)
            await play(horde, await horde.user("rich", kudos_amount=200))
        assert broken_ledger_rules(folder / "hordenode.db") == {}

    run(main())


@pytest.mark.parametrize("kind", ASYNC)
def test_large_requests_need_kudos_in_advance(tmp_path: Path, kind: str) -> None:
    async def play(horde: Horde, rich: str) -> None:
        message = await refused(horde, ASYNC[kind], "KudosUpfront", BIG[kind], key=ANONYMOUS)
        assert "kudos in advance and you have 50" in message
        await refused(horde, ASYNC[kind], "KudosUpfront", BIG[kind] | {"dry_run": True}, key=ANONYMOUS)
        await checked(horde, ASYNC[kind], 202, SMALL[kind], key=ANONYMOUS)
        await checked(horde, ASYNC[kind], 202, BIG[kind], key=rich)

    scenario(tmp_path, play)


@pytest.mark.parametrize("rules", [{"upfront": False}, {"kudos": False}])
@pytest.mark.parametrize("kind", ASYNC)
def test_nobody_needs_them_by_default_or_without_kudos(tmp_path: Path, kind: str, rules: dict[str, bool]) -> None:
    async def play(horde: Horde, _: str) -> None:
        await checked(horde, ASYNC[kind], 202, BIG[kind], key=ANONYMOUS)

    scenario(tmp_path, play, **rules)


def test_who_lets_it_be_made_smaller_goes_without(tmp_path: Path) -> None:
    async def play(horde: Horde, _: str) -> None:
        worker = await horde.worker_key()
        large = BIG["image"] | {"allow_downgrade": True, "slow_workers": False}
        await checked(horde, ASYNC["image"], 202, large, key=ANONYMOUS)
        payload = (await horde.ok("POST", "/generate/pop", IMAGE_POP, key=worker))["payload"]
        assert (payload["ddim_steps"], payload["width"], payload["height"]) == (30, 512, 512)
        await checked(horde, ASYNC["text"], 202, BIG["text"] | {"allow_downgrade": True}, key=ANONYMOUS)
        payload = (await horde.ok("POST", "/generate/text/pop", TEXT_POP, key=worker))["payload"]
        assert payload["max_length"] == 512

    scenario(tmp_path, play)


def test_what_is_held_is_spent_by_nobody_else_until_the_request_is_done(tmp_path: Path) -> None:
    async def play(horde: Horde, rich: str) -> None:
        worker = await horde.user("worker owner")
        some = TEXT_REQUEST | {"params": {"max_length": 600}, "models": []}
        accepted = [await checked(horde, ASYNC["text"], 202, some, key=rich) for _ in range(8)]  # 20 each, of 175
        await refused(horde, ASYNC["text"], "KudosUpfront", some, key=rich)
        sent = {"username": "worker owner#3", "amount": 15}
        await refused(horde, "POST /kudos/transfer", "KudosTransferNotEnough", sent, key=rich)
        await horde.ok("DELETE", f"/generate/text/status/{accepted[0]['id']}", key=rich)
        await checked(horde, "POST /kudos/transfer", 200, sent, key=rich)
        pop = TEXT_POP | {"max_length": 1024}
        job = await horde.ok("POST", "/generate/text/pop", pop, key=worker)
        await refused(horde, ASYNC["text"], "KudosUpfront", some, key=rich)
        await horde.ok("POST", "/generate/text/submit", {"id": job["id"], "generation": "short"}, key=worker)
        await checked(horde, ASYNC["text"], 202, some, key=rich)

    scenario(tmp_path, play)
