"""Workers earn by being there, every ten minutes (contract 10.6, 10.7)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hordenode.coordinator import janitor
from tests.support.aio import run
from tests.support.horde import ALCHEMY_POP, IMAGE_POP, TEXT_POP, Horde, open_horde
from tests.support.invariants import broken_ledger_rules

POPS = {
    "image": ("/generate/pop", IMAGE_POP),
    "text": ("/generate/text/pop", TEXT_POP),
    "interrogation": ("/interrogate/pop", ALCHEMY_POP),
}
EARNED = {"image": 52, "text": (25 + 15 * 4) * 0.5, "interrogation": 40}


def scenario(
    folder: Path, play: Callable[[Horde, str], Awaitable[None]], *, trusted: bool = True, **rules: Any
) -> None:
    async def main() -> None:
        async with open_horde(folder, **rules) as horde:
            await horde.user("owner", admin=True)
            await play(horde, await horde.user("worker owner", kudos_amount=100, trusted=trusted))
        assert broken_ledger_rules(folder / "hordenode.db") == {}

    run(main())


async def stay(horde: Horde, key: str, kind: str, minutes: float) -> None:
    """Pop every half minute, as long as that; the janitor makes his rounds."""
    path, pop = POPS[kind]
    for _ in range(round(minutes * 2)):
        horde.clock.advance(30)
        await horde.ok("POST", path, pop, key=key)
        await janitor.save_presence(horde.co)


@pytest.mark.parametrize("kind", POPS)
def test_ten_minutes_are_rewarded(tmp_path: Path, kind: str) -> None:
    async def play(horde: Horde, key: str) -> None:
        await stay(horde, key, kind, 10)
        assert await horde.balance(2) == 100
        await stay(horde, key, kind, 1)
        assert await horde.balance(2) == 100 + EARNED[kind]
        await stay(horde, key, kind, 10.5)
        assert await horde.balance(2) == 100 + 2 * EARNED[kind]
        worker = (await horde.ok("GET", "/workers"))[0]
        assert worker["kudos_details"] == {"generated": 0.0, "uptime": round(2 * EARNED[kind])}
        assert worker["kudos_rewards"] == 2 * EARNED[kind]
        page = (await horde.http.get("/api/node/v1/kudos", headers={"apikey": key})).json()
        assert page["lines"][0]["what"] == "worker online" and POPS[kind][1]["name"] in page["lines"][0]["how"]

    scenario(tmp_path, play)


@pytest.mark.parametrize("kind", POPS)
def test_only_alchemists_get_it_before_they_are_trusted(tmp_path: Path, kind: str) -> None:
    async def play(horde: Horde, key: str) -> None:
        await stay(horde, key, kind, 11)
        page = (await horde.http.get("/api/node/v1/kudos", headers={"apikey": key})).json()
        spendable, held = (EARNED[kind], 0) if kind == "interrogation" else (0, EARNED[kind])
        assert (page["kudos"], page["held"]) == (100 + spendable, held)
        assert (page["lines"][0]["amount"], page["lines"][0]["held"]) == (spendable, held)

    scenario(tmp_path, play, trusted=False)


def test_who_was_away_begins_anew(tmp_path: Path) -> None:
    async def play(horde: Horde, key: str) -> None:
        await stay(horde, key, "image", 8)
        horde.clock.advance(301)
        await stay(horde, key, "image", 9)
        assert await horde.balance(2) == 100
        await stay(horde, key, "image", 2)
        assert await horde.balance(2) == 152

    scenario(tmp_path, play)


def test_time_before_a_restart_counts(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            await stay(horde, key, "image", 8)
            clock = horde.clock
        async with open_horde(tmp_path, seed=1) as horde:
            horde.clock.advance((clock.now_ms() - horde.clock.now_ms()) / 1000)
            await stay(horde, key, "image", 4)
            assert await horde.balance(1) == 52

    run(main())


def test_without_kudos_nothing_is_paid(tmp_path: Path) -> None:
    async def play(horde: Horde, key: str) -> None:
        await stay(horde, key, "image", 25)
        assert await horde.balance(2) == 100

    scenario(tmp_path, play, kudos=False)
