"""What the writing connection remembers of users is what is stored."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from hordenode.domain.entities import User
from hordenode.store import users
from hordenode.store.tx import Tx
from tests.support.aio import run
from tests.support.horde import Horde, open_horde


async def remembered(horde: Horde) -> User:
    """User 1, which the writer knows from now on."""
    await horde.user("somebody")
    found = await horde.co.db.write(lambda tx: users.find(tx, 1))
    assert found is not None
    return found


def flag(tx: Tx, user: User) -> None:
    users.save(tx, msgspec.structs.replace(user, flagged=True))


def flagged(tx: Tx) -> bool:
    found = users.find(tx, 1)
    return found is not None and found.flagged


def test_a_change_is_seen_by_the_next_in_the_same_batch(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_horde(tmp_path / "horde") as horde:
            user, db = await remembered(horde), horde.co.db
            _, seen = await asyncio.gather(db.write(lambda tx: flag(tx, user)), db.write(flagged))
            assert seen

    run(story())


def test_a_change_that_was_undone_is_not_remembered(tmp_path: Path) -> None:
    def fails(tx: Tx) -> None:
        user = users.find(tx, 1)
        assert user is not None
        flag(tx, user)
        assert flagged(tx)
        raise RuntimeError("after the change")

    async def story() -> None:
        async with open_horde(tmp_path / "horde") as horde:
            await remembered(horde)
            with pytest.raises(RuntimeError, match="after the change"):
                await horde.co.db.write(fails)
            assert not await horde.co.db.write(flagged)

    run(story())


def test_a_change_by_another_program_is_noticed(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_horde(tmp_path / "horde") as horde:
            await remembered(horde)
            with closing(sqlite3.connect(tmp_path / "horde" / "hordenode.db")) as other, other:
                other.execute("UPDATE users SET flagged = 1 WHERE id = 1")
            assert await horde.co.db.write(flagged)

    run(story())
