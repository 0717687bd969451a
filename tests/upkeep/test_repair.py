"""`hordenode doctor --repair` puts right whatever disagrees, and says what it was."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from hordenode.cli.main import main as cli
from hordenode.repair import repair_data
from hordenode.store.invariants import RULES, broken_rules
from hordenode.store.lock import DataDirInUse, DataDirLock, NodeInfo
from tests.support.aio import run
from tests.support.horde import ANONYMOUS, TEXT_POP, TEXT_REQUEST, open_horde

# What breaks each rule.
DAMAGE = {
    "all balances sum to zero": "UPDATE accounts SET balance = balance + 5 WHERE id = 1",
    "a balance is the sum of its ledger lines": "UPDATE accounts SET balance = 1000000 WHERE id = 1",
    "finished counts the delivered jobs": "UPDATE waiting_prompts SET finished = finished + 1",
    "processing counts the jobs in flight": "UPDATE waiting_prompts SET processing = 7",
    "waiting + processing + finished = jobs": "UPDATE waiting_prompts SET n = n + 3",
    "a request that was given up or cancelled waits for nothing": "UPDATE waiting_prompts SET cancelled = 1, n = 3",
    "a signature's totals are those of its requests": "UPDATE signatures SET jobs = 99, things = 1",
    "a lane's waiting jobs are those of its requests": "UPDATE lanes SET waiting = 55",
    "a lane stands under each signature that it waits for": "DELETE FROM lane_signatures",
    "a lane stands under no other signature": "UPDATE lane_signatures SET requests = 5",
    "band and turn are repeated as they are": "UPDATE lane_signatures SET turn = turn + 1",
    "no row points nowhere": "DELETE FROM workers",
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with requests that wait, run and are done."""
    folder = tmp_path_factory.mktemp("sound")

    async def main() -> None:
        async with open_horde(folder) as horde:
            key = await horde.worker_key()
            for _ in range(6):
                await horde.ok("POST", "/generate/text/async", TEXT_REQUEST, key=ANONYMOUS)
            for finish in (True, True, False):
                job = (await horde.ok("POST", "/generate/text/pop", TEXT_POP, key=key))["id"]
                if finish:
                    await horde.ok("POST", "/generate/text/submit", {"id": job, "generation": "x"}, key=key)

    run(main())
    return folder


def copied(sound: Path, target: Path) -> Path:
    target.mkdir()
    (target / "hordenode.db").write_bytes((sound / "hordenode.db").read_bytes())
    return target


@pytest.mark.parametrize("rule", DAMAGE)
def test_each_kind_of_disagreement_is_found_and_repaired(tmp_path: Path, sound: Path, rule: str) -> None:
    data = copied(sound, tmp_path / "data")
    database = data / "hordenode.db"
    with sqlite3.connect(database) as connection:
        connection.execute(DAMAGE[rule])
    connection.close()
    assert rule in broken_rules(database)
    found = CliRunner().invoke(cli, ["doctor", "--data-dir", str(data)])
    assert found.exit_code == 1 and rule in found.output and "--repair" in found.output
    said = list(repair_data(data))
    assert f"repaired: {rule}" in said
    assert broken_rules(database) == {}
    assert rule in broken_rules(data / "hordenode.db.before-repair"), "a copy is kept"


def test_all_rules_but_those_that_only_a_backup_mends_are_tried() -> None:
    assert set(RULES) - set(DAMAGE) == {
        "no balance is below its floor",
        "nothing is done more often than asked",
        "the file is sound",
    }


def test_a_sound_directory_stays_as_it_is_but_for_what_nobody_needs(tmp_path: Path, sound: Path) -> None:
    data = copied(sound, tmp_path / "data")
    stray, young = data / "blobs" / "results" / "aa" / "old.webp", data / "blobs" / "results" / "aa" / "young.webp"
    stray.parent.mkdir(parents=True)
    for file in (stray, young):
        file.write_bytes(b"x")
    os.utime(stray, (0, 0))
    with sqlite3.connect(data / "hordenode.db") as connection:
        before = connection.execute("SELECT * FROM waiting_prompts ORDER BY id").fetchall()
        connection.execute("INSERT INTO blobs VALUES ('results', 'gone.webp', 1, 'x', 0, 0)")
    connection.close()
    result = CliRunner().invoke(cli, ["doctor", "--repair", "--data-dir", str(data)])
    assert result.exit_code == 0, result.output
    assert "repaired" not in result.output
    assert "forgot 1 results" in result.output and "removed 1 files" in result.output
    assert not stray.exists() and young.exists()
    with sqlite3.connect(data / "hordenode.db") as connection:
        assert connection.execute("SELECT * FROM waiting_prompts ORDER BY id").fetchall() == before
    connection.close()
    assert "sound" in CliRunner().invoke(cli, ["doctor", "--data-dir", str(data)]).output


def test_nothing_is_repaired_while_a_node_runs(tmp_path: Path, sound: Path) -> None:
    data = copied(sound, tmp_path / "data")
    lock = DataDirLock(data)
    lock.acquire(NodeInfo.here("http://somewhere"))
    try:
        with pytest.raises(DataDirInUse):
            list(repair_data(data))
    finally:
        lock.release()
