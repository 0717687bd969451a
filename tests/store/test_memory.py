"""What connections remember is what is stored."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec
import pytest

from hordenode.domain.entities import User
from hordenode.store import requests, sharedkeys, users
from hordenode.store.tx import Tx
from hordenode.store.writer import Writer, run_glance
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


def test_what_a_transaction_changes_is_read_from_the_file_until_it_is_committed(tmp_path: Path) -> None:
    """Beside a COMMIT a reader finds the state before it or after it, never what it remembers of either."""
    seen: list[int] = []

    async def story() -> None:
        async with open_horde(tmp_path / "horde") as horde:
            asked = await horde.ok("POST", "/generate/text/async", {"prompt": "a fox"}, key=await horde.user())
        path = tmp_path / "horde" / "hordenode.db"
        with closing(connection(path)) as reading, closing(connection(path)) as writing:

            async def hop(step: Callable[[sqlite3.Connection], None]) -> None:
                seen.append(finished())
                step(writing)
                seen.append(finished())

            def finished() -> int:
                wp = run_glance(reading, writer.committed, lambda tx: requests.find_any(tx, asked["id"]))
                assert wp is not None
                return wp.finished

            def finish(tx: Tx) -> None:
                wp = requests.find_any(tx, asked["id"])
                assert wp is not None
                requests.advance(tx, wp, msgspec.structs.replace(wp, finished=wp.finished + 1))
                seen.append(finished())

            writer = Writer(writing, hop)
            for _ in range(2):
                await writer.run([finish])
                seen.append(finished())
            reading.close()
            seen.append(finished())  # from memory

    run(story())
    assert seen == [0, 0, 1, 1, 1, 1, 2, 2, 2]


def connection(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def test_a_request_that_was_deleted_is_not_remembered(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_horde(tmp_path / "horde") as horde:
            asked = await horde.ok("POST", "/generate/text/async", {"prompt": "a fox"}, key=await horde.user())
            db, find = horde.co.db, partial(requests.find_any, request_id=asked["id"])
            wp = db.glance(find)
            assert wp is not None
            assert db.glance(find) is wp
            await db.write(lambda tx: requests.delete(tx, wp))
            assert db.glance(find) is None
            assert await db.write(find) is None

    run(story())


def test_a_shared_key_that_was_deleted_is_forgotten_with_its_requests(tmp_path: Path) -> None:
    """The foreign key sets it to NULL, which no statement about requests shows."""

    async def story() -> None:
        async with open_horde(tmp_path / "horde") as horde:
            key = await horde.user()
            shared = await horde.ok("PUT", "/sharedkeys", {"kudos": 5000}, key=key)
            asked = await horde.ok("POST", "/generate/text/async", {"prompt": "a fox"}, key=shared["id"])
            db, find = horde.co.db, partial(requests.find_any, request_id=asked["id"])
            before = await db.write(find)
            assert before is not None
            assert before.sharedkey_id == shared["id"]
            await db.write(partial(sharedkeys.delete, key_id=shared["id"]))
            for found in (db.glance(find), await db.write(find)):
                assert found is not None
                assert found.sharedkey_id is None

    run(story())
