"""Disks that fill up, fail or turn read-only, files that are replaced, a clock that is set back.

The full disk is a small tmpfs where this process may mount one (as root), else a limit on the size of files; nothing else
here needs root.
"""

from __future__ import annotations

import itertools
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hordenode.ops.clock import SystemClock
from hordenode.store.guard import RESCUED
from tests.support.aio import run
from tests.support.horde import IMAGE_POP, IMAGE_REQUEST, START_MS, TEXT_POP, TEXT_REQUEST, open_horde
from tests.support.invariants import broken_rules
from tests.support.node_process import NodeProcess, node_process
from tests.upkeep.test_backup import webp

BREAKING = "tests.support.broken_calls"
BIG = {"prompt": "x" * 20_000, "models": ["model one"], "params": {"max_length": 80}}


class Client:
    """Posts, and remembers what was accepted."""

    def __init__(self, node: NodeProcess) -> None:
        self.node = node
        self.accepted: list[str] = []
        self.key = {"apikey": node.owner_key}

    def post(self, body: dict[str, Any] = BIG) -> httpx.Response:
        answer = self.call("POST", "/generate/text/async", body)
        if answer.status_code == 202:
            self.accepted.append(answer.json()["id"])
        return answer

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return httpx.request(method, f"{self.node.url}/api/v2{path}", json=body, headers=self.key, timeout=30)

    def post_until_refused(self, most: int = 450) -> httpx.Response:
        for _ in range(most):
            answer = self.post()
            if answer.status_code != 202:
                return answer
        raise AssertionError("the node never noticed")

    def nothing_is_lost(self, node: NodeProcess) -> None:
        for request_id in self.accepted:
            assert httpx.get(f"{node.url}/api/v2/generate/text/status/{request_id}").status_code == 200


class SmallDisk:
    """A folder on a disk of some megabytes; `fill` takes what is left of it, `clear` gives it back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
        self.mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0

    def fill(self, node: NodeProcess) -> None:
        if not self.mounted:
            size = (node.data_dir / "hordenode.db-wal").stat().st_size
            resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            return
        with (self.folder / "ballast").open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(b"x" * 4096)
            except OSError:
                pass

    def clear(self, node: NodeProcess) -> None:
        if self.mounted:
            (self.folder / "ballast").unlink()
        else:
            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, unlimited)

    def remove(self) -> None:
        if self.mounted:
            subprocess.run(["umount", str(self.folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    disk = SmallDisk(tmp_path / "disk")
    yield disk
    disk.remove()


def test_a_full_disk_refuses_clearly_loses_nothing_and_recovers_without_a_restart(small_disk: SmallDisk) -> None:
    data = small_disk.folder / "data"
    with node_process(data, "--no-engine") as node:
        client = Client(node)
        for _ in range(20):
            assert client.post().status_code == 202
        small_disk.fill(node)
        refused = client.post_until_refused()
        assert refused.status_code == 503 and refused.headers["retry-after"]
        assert "disk" in refused.json()["message"].lower() and "space" in refused.json()["message"]
        assert client.call("GET", "/status/heartbeat").status_code == 200, "what needs no disk goes on"
        assert client.call("GET", f"/generate/text/status/{client.accepted[0]}").status_code == 200
        small_disk.clear(node)
        assert client.post().status_code == 202, "no restart is needed"
        node.kill()
    assert broken_rules(data / "hordenode.db") == {}
    with node_process(data, "--no-engine") as again:
        client.nothing_is_lost(again)
        assert again.terminate() == 0


def test_a_result_that_does_not_fit_is_refused_and_can_be_sent_again(small_disk: SmallDisk) -> None:
    with node_process(small_disk.folder / "data", "--no-engine") as node:
        client = Client(node)
        client.call("POST", "/generate/async", IMAGE_REQUEST)
        job = client.call("POST", "/generate/pop", IMAGE_POP).json()
        small_disk.fill(node)
        refused = httpx.put(job["r2_upload"], content=webp() + b"\0" * 400_000)
        assert refused.status_code == 503 and "disk" in refused.json()["message"]
        small_disk.clear(node)
        assert httpx.put(job["r2_upload"], content=webp()).status_code == 200
        body = {"id": job["id"], "generation": "R2", "seed": 1}
        assert client.call("POST", "/generate/submit", body).status_code == 200


def test_a_disk_that_cannot_sync_acknowledges_nothing_more(tmp_path: Path) -> None:
    with node_process(tmp_path / "data", "--no-engine", module=BREAKING) as node:
        client = Client(node)
        for _ in range(5):
            assert client.post().status_code == 202
        assert node.tell("fsync") == "broken: fsync"
        for _ in range(3):
            refused = client.post()
            assert refused.status_code == 503 and "disk" in refused.json()["message"], refused.text
        assert len(client.accepted) == 5
        node.kill()
    assert "Traceback" not in node.logged()
    with node_process(tmp_path / "data", "--no-engine") as again:
        client.nothing_is_lost(again)
        assert client.node is not again and Client(again).post().status_code == 202
    assert broken_rules(tmp_path / "data" / "hordenode.db") == {}


def test_a_directory_that_turns_read_only_refuses_pictures_and_says_why(tmp_path: Path) -> None:
    with node_process(tmp_path / "data", "--no-engine", module=BREAKING) as node:
        client = Client(node)
        client.call("POST", "/generate/async", IMAGE_REQUEST)
        job = client.call("POST", "/generate/pop", IMAGE_POP).json()
        node.tell("read-only")
        refused = httpx.put(job["r2_upload"], content=webp())
        assert refused.status_code == 503 and "Read-only" in refused.json()["message"]
        assert client.call("GET", "/status/heartbeat").status_code == 200
        node.kill()
    with node_process(tmp_path / "data", "--no-engine") as again:
        url = job["r2_upload"].replace(node.url, again.url)
        assert httpx.put(url, content=webp()).status_code == 200, "the upload can be repeated"


def test_a_start_on_a_read_only_directory_says_so_in_one_line(tmp_path: Path) -> None:
    with node_process(tmp_path / "data", "--no-engine") as node:
        node.terminate()
    for data in (tmp_path / "data", tmp_path / "new"):
        command = [
            sys.executable,
            "-m",
            BREAKING,
            "read-only",
            "up",
            "--no-engine",
            "--port",
            "0",
            "--data-dir",
            str(data),
        ]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert ended.returncode == 1
        assert ended.stderr.startswith("error: ") and ended.stderr.count("\n") == 1, ended.stderr
        assert str(tmp_path) in ended.stderr and "ead-only" in ended.stderr


@contextmanager
def _replaced(database: Path, how: str) -> Iterator[None]:
    if how == "deleted":
        database.unlink()
    else:
        database.rename(database.with_name("elsewhere.db"))
        database.write_bytes(b"something else")
    yield


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_database_replaced_under_the_node_stops_it_and_loses_nothing(tmp_path: Path, how: str) -> None:
    database = tmp_path / "data" / "hordenode.db"
    with node_process(tmp_path / "data", "--no-engine") as node:
        client = Client(node)
        for _ in range(5):
            assert client.post().status_code == 202
        with _replaced(database, how):
            refused = client.post()
        assert refused.status_code == 503 and "replaced or removed" in refused.json()["message"]
        assert node.process.wait(30) == 0
        assert f"{database}{RESCUED}" in node.logged() and "Traceback" not in node.logged()
    rescued = database.with_name(database.name + RESCUED)
    assert broken_rules(rescued) == {}
    for file in database.parent.glob("hordenode.db-*"):
        file.unlink()
    rescued.replace(database)
    with node_process(tmp_path / "data", "--no-engine") as again:
        client.nothing_is_lost(again)


def test_a_clock_set_back_changes_nothing_for_a_running_node(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    clock = SystemClock()
    before, real = clock.now_ms(), time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() - 3600 * 10**9)
    assert 0 <= clock.now_ms() - before < 60_000


def test_a_clock_set_back_between_two_runs_keeps_requests_and_turns(tmp_path: Path) -> None:
    async def served(horde: Any, worker: str) -> str:
        job = await horde.ok("POST", "/generate/text/pop", TEXT_POP, key=worker)
        await horde.ok("POST", "/generate/text/submit", {"id": job["id"], "generation": "x"}, key=worker)
        return str(job["payload"]["prompt"])

    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            worker, three = await horde.worker_key(), await horde.user("three")
            one, two = await horde.user("one"), await horde.user("two")
            for key, name in ((one, "one"), (two, "two")):
                for _ in range(4):
                    await horde.ok("POST", "/generate/text/async", TEXT_REQUEST | {"prompt": name}, key=key)
            order = [await served(horde, worker), await served(horde, worker)]
        async with open_horde(tmp_path, seed=1, now_ms=START_MS - 3_600_000) as horde:
            late = await horde.ok("POST", "/generate/text/async", TEXT_REQUEST | {"prompt": "late"}, key=three)
            order += [await served(horde, worker) for _ in range(7)]
            assert (await horde.ok("GET", f"/generate/text/status/{late['id']}"))["done"]
        assert sorted(order[:2]) == ["one", "two"]
        assert order.index("late") in (2, 3, 4), "who never had a turn does not wait behind an hour"
        rest = [name for name in order[2:] if name != "late"]
        assert all(first != second for first, second in itertools.pairwise(rest)), order

    run(main())
