"""A horde with those who keep its house."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.aio import run
from tests.support.horde import Horde, open_horde
from tests.support.invariants import broken_ledger_rules


class Staff:
    """An admin who is no moderator, a moderator, and somebody."""

    def __init__(self, horde: Horde, keys: list[str]) -> None:
        self.horde = horde
        self.admin, self.moderator, self.somebody = keys


@asynccontextmanager
async def staff(folder: Path, **rules: Any) -> AsyncIterator[Staff]:
    async with open_horde(folder, **rules) as horde:
        yield Staff(
            horde,
            [
                await horde.user("admin", admin=True),
                await horde.user("moderator", moderator=True),
                await horde.user("somebody"),
            ],
        )


def scenario(folder: Path, play: Callable[[Staff], Awaitable[None]], **rules: Any) -> None:
    async def main() -> None:
        async with staff(folder, **rules) as people:
            await play(people)
        assert broken_ledger_rules(folder / "hordenode.db") == {}

    run(main())
