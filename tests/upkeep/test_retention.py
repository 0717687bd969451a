"""What a horde forgets by itself; what it must not."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from hordenode.coordinator import janitor, retention
from hordenode.store import ledger
from hordenode.store.retention import checkpoint
from tests.support.aio import run
from tests.support.horde import ANONYMOUS, TEXT_POP, TEXT_REQUEST, Horde, open_horde
from tests.support.invariants import broken_rules

DAY_S = 86_400


async def round_trip(horde: Horde, worker: str, key: str, **change: Any) -> None:
    await horde.ok("POST", "/generate/text/async", TEXT_REQUEST | change, key=key)
    offer = TEXT_POP | {"models": change.get("models", TEXT_POP["models"])}
    job = (await horde.ok("POST", "/generate/text/pop", offer, key=worker))["id"]
    await horde.ok("POST", "/generate/text/submit", {"id": job, "generation": "some words"}, key=worker)


def counted(folder: Path) -> dict[str, int]:
    connection = sqlite3.connect(folder / "hordenode.db")
    tables = ("lanes", "signatures", "ledger", "waiting_prompts", "jobs")
    found = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}
    connection.close()
    return found


def test_the_database_grows_with_its_users_and_not_with_time(tmp_path: Path) -> None:
    """Thirty days of the same use leave no more than ten."""

    async def main() -> dict[int, dict[str, int]]:
        sizes = {}
        async with open_horde(tmp_path, ledger_days=2) as horde:
            worker, key = await horde.worker_key(), await horde.user("regular", kudos_amount=1000)
            for day in range(30):
                for number in range(8):
                    await round_trip(horde, worker, key, models=[f"model of day {day}, {number}"])
                horde.clock.advance(DAY_S)
                await janitor.sweep_expired(horde.co)
                for _ in range(20):
                    await retention.sweep(horde.co)
                sizes[day] = counted(tmp_path)
        return sizes

    sizes = run(main())
    for table, rows in sizes[29].items():
        assert rows <= sizes[9][table] * 1.2 + 2, f"{table}: {sizes[9][table]} after ten days, {rows} after thirty"
    assert broken_rules(tmp_path / "hordenode.db") == {}


def test_old_movements_become_one_line_and_no_balance_changes(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path, ledger_days=10) as horde:
            worker, key = await horde.worker_key(), await horde.user("regular", kudos_amount=1000)
            for _ in range(6):
                await round_trip(horde, worker, key)
            horde.clock.advance(11 * DAY_S)
            await round_trip(horde, worker, key)
            before = [await horde.balance(user) for user in (1, 2)]
            pages = [await _page(horde, who) for who in (worker, key)]
            _, _, gone = await retention.sweep(horde.co)
            assert gone > 10
            assert [await horde.balance(user) for user in (1, 2)] == before
            after = [await _page(horde, who) for who in (worker, key)]
            for old, new in zip(pages, after, strict=True):
                assert len(new) < len(old) and new[0] == old[0], "what is young stays as it is"
                assert any(line["what"] == "earlier movements together" for line in new)
                assert any("movements in one line" in line["how"] for line in new)
                assert sum(line["amount"] for line in new) == sum(line["amount"] for line in old)
            assert await horde.co.db.read(ledger.total) == 0
            assert (await retention.sweep(horde.co))[2] == 0, "once is enough"

    run(main())
    assert broken_rules(tmp_path / "hordenode.db") == {}


async def _page(horde: Horde, key: str) -> list[dict[str, Any]]:
    answer = await horde.http.get("/api/node/v1/kudos?limit=100", headers={"apikey": key})
    assert answer.status_code == 200, answer.text
    lines: list[dict[str, Any]] = answer.json()["lines"]
    return lines


def test_what_is_in_use_stays_and_what_is_forgotten_can_come_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            worker, key = await horde.worker_key(), await horde.user("regular")
            await horde.ok("POST", "/generate/text/async", TEXT_REQUEST | {"models": ["waits"]}, key=ANONYMOUS)
            await round_trip(horde, worker, key)
            horde.clock.advance(600)
            assert (await retention.sweep(horde.co))[:2] == (0, 0), "all of it is young or waits"
            horde.clock.advance(8 * DAY_S)
            assert (await retention.sweep(horde.co))[:2] == (0, 0), "requests that are still there hold it"
            await janitor.sweep_expired(horde.co)
            assert (await retention.sweep(horde.co))[:2] == (2, 2)
            assert counted(tmp_path)["lanes"] == counted(tmp_path)["signatures"] == 0
            await round_trip(horde, worker, key)
            request = await horde.ok("POST", "/generate/text/async", TEXT_REQUEST, key=key)
            assert (await horde.ok("GET", f"/generate/text/status/{request['id']}"))["queue_position"] == 1

    run(main())


def test_a_checkpoint_goes_on_beside_the_node(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            worker = await horde.worker_key()
            checkpoint(tmp_path / "hordenode.db")
            await round_trip(horde, worker, ANONYMOUS)
            checkpoint(tmp_path / "hordenode.db")
            copy = tmp_path / "copy.db"
            copy.write_bytes((tmp_path / "hordenode.db").read_bytes())
            connection = sqlite3.connect(copy)
            assert connection.execute("SELECT count(*) FROM jobs WHERE state = 'done'").fetchone() == (1,)
            connection.close()

    run(main())
