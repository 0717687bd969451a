"""One node per data directory, and finding it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hordenode.store.lock import DataDirInUse, DataDirLock, NodeInfo, read_running

INFO = NodeInfo("http://127.0.0.1:7001", 4711, "2026-01-02T03:04:05+00:00")
HOLDER = """
import sys
from pathlib import Path
from hordenode.store.lock import DataDirLock, NodeInfo
lock = DataDirLock(Path(sys.argv[1]))
lock.acquire(NodeInfo.here("http://127.0.0.1:7999"))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_node_is_refused_and_told_of_the_first(tmp_path: Path) -> None:
    first = DataDirLock(tmp_path)
    first.acquire(INFO)
    with pytest.raises(DataDirInUse, match=r"process 4711, http://127\.0\.0\.1:7001.*--data-dir"):
        DataDirLock(tmp_path).acquire(NodeInfo.here("http://127.0.0.1:7002"))
    assert read_running(tmp_path) == INFO
    first.release()
    second = DataDirLock(tmp_path)
    second.acquire(INFO)
    second.release()


def test_the_running_node_is_found_with_its_latest_address(tmp_path: Path) -> None:
    assert read_running(tmp_path) is None
    lock = DataDirLock(tmp_path)
    lock.update("http://nobody")
    assert read_running(tmp_path) is None
    lock.acquire(NodeInfo("", INFO.pid, INFO.started))
    lock.update(INFO.url)
    assert read_running(tmp_path) == INFO
    lock.release()
    lock.release()
    lock.update("http://nobody")
    assert read_running(tmp_path) is None


@pytest.mark.parametrize("left", ["", "{", "[]", '{"url": 1}', '{"url": "u", "pid": "x", "started": "s"}'])
def test_what_a_node_left_behind_is_not_taken_for_one(tmp_path: Path, left: str) -> None:
    (tmp_path / "node.lock").touch()
    (tmp_path / "node.json").write_text(left)
    assert read_running(tmp_path) is None
    (tmp_path / "node.json").write_text(json.dumps({"url": INFO.url, "pid": INFO.pid, "started": INFO.started}))
    assert read_running(tmp_path) is None
    (tmp_path / "node.lock").unlink()
    assert read_running(tmp_path) is None


def test_a_node_that_is_killed_frees_its_directory(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        running = read_running(tmp_path)
        assert running is not None
        assert (running.url, running.pid) == ("http://127.0.0.1:7999", holder.pid)
        with pytest.raises(DataDirInUse, match=f"process {holder.pid}"):
            DataDirLock(tmp_path).acquire(INFO)
        holder.kill()
        holder.wait()
    assert (tmp_path / "node.json").exists()
    assert read_running(tmp_path) is None
    lock = DataDirLock(tmp_path)
    lock.acquire(INFO)
    assert read_running(tmp_path) == INFO
    lock.release()


def test_looking_for_a_node_does_not_keep_one_from_starting(tmp_path: Path) -> None:
    lock = DataDirLock(tmp_path)
    lock.acquire(INFO)
    lock.release()
    (tmp_path / "node.json").write_text(json.dumps({"url": INFO.url, "pid": INFO.pid, "started": INFO.started}))
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            read_running(tmp_path)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(20):
            lock.acquire(INFO)
            lock.release()
    finally:
        done.set()
        looking.join()
