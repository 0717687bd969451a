"""Backup under load, restore elsewhere, and what is refused."""

from __future__ import annotations

import asyncio
import io
import sqlite3
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from hordenode.backup import BackupError, restore_backup, write_backup
from hordenode.blobs.files import FileBlobs
from hordenode.coordinator import files
from hordenode.coordinator.links import RESULTS
from hordenode.store.invariants import broken_rules
from hordenode.store.lock import DataDirInUse
from tests.support.aio import run
from tests.support.horde import ANONYMOUS, IMAGE_POP, IMAGE_REQUEST, TEXT_POP, TEXT_REQUEST, open_horde
from tests.support.node_process import NodeProcess, node_process

CLIENTS = 12
BACKUPS = 3


def webp() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(out, "WEBP")
    return out.getvalue()


def hordenode(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hordenode", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


class Load:
    """Clients and workers in full swing; `done` counts finished round trips."""

    def __init__(self, node: NodeProcess) -> None:
        self._node = node
        self.done: dict[str, str] = {}
        self.over = False
        self._warm = asyncio.Event()  # a picture and some texts are done

    async def run(self, meanwhile: Callable[[], Any]) -> None:
        """Keep the node busy while `meanwhile` runs in a thread."""
        async with httpx.AsyncClient(base_url=f"{self._node.url}/api/v2", timeout=30) as http:
            tasks = [asyncio.create_task(self._text(http, i)) for i in range(CLIENTS)]
            tasks.append(asyncio.create_task(self._images(http)))
            await self._warm.wait()
            await asyncio.to_thread(meanwhile)
            self.over = True
            await asyncio.gather(*tasks)

    async def _text(self, http: httpx.AsyncClient, number: int) -> None:
        key = {"apikey": self._node.owner_key}
        while not self.over:
            accepted = await http.post("/generate/text/async", json=TEXT_REQUEST, headers={"apikey": ANONYMOUS})
            offer = TEXT_POP | {"name": f"writer {number}"}
            job = (await http.post("/generate/text/pop", json=offer, headers=key)).json()
            if job["id"]:
                body = {"id": job["id"], "generation": f"text of {job['id']}"}
                assert (await http.post("/generate/text/submit", json=body, headers=key)).status_code == 200
                self.done[job["id"]] = accepted.json()["id"]

    async def _images(self, http: httpx.AsyncClient) -> None:
        key = {"apikey": self._node.owner_key}
        while not self.over:
            await http.post("/generate/async", json=IMAGE_REQUEST, headers={"apikey": ANONYMOUS})
            job = (await http.post("/generate/pop", json=IMAGE_POP, headers=key)).json()
            await http.put(job["r2_upload"], content=webp())
            body = {"id": job["id"], "generation": "R2", "seed": 1}
            assert (await http.post("/generate/submit", json=body, headers=key)).status_code == 200
            if len(self.done) > CLIENTS:
                self._warm.set()


def test_a_backup_under_load_restores_to_a_sound_horde_that_goes_on(tmp_path: Path) -> None:
    archives = [tmp_path / f"{i}.tar" for i in range(BACKUPS)]
    with node_process(tmp_path / "data", "--no-engine") as node:
        load, acknowledged = Load(node), []

        def back_up() -> None:
            for file in archives:
                acknowledged.append(set(load.done))
                made = hordenode("backup", str(file), "--data-dir", str(node.data_dir))
                assert made.returncode == 0, made.stderr

        run(load.run(back_up))
        key = node.owner_key
    assert len(acknowledged[-1]) > len(acknowledged[0]), "nothing happened meanwhile"
    assert stat.S_IMODE(archives[0].stat().st_mode) == 0o600
    for file, before in zip(archives, acknowledged, strict=True):
        target = tmp_path / f"restored {file.stem}"
        restored = hordenode("restore", str(file), "--data-dir", str(target))
        assert restored.returncode == 0, restored.stderr
        assert broken_rules(target / "hordenode.db") == {}
        with sqlite3.connect(target / "hordenode.db") as connection:
            texts = dict(connection.execute("SELECT id, result FROM jobs WHERE state = 'done' AND result <> 'R2'"))
            images = [row[0] for row in connection.execute("SELECT id FROM jobs WHERE result = 'R2'")]
        connection.close()
        assert before <= set(texts), "what was acknowledged before the backup is in it"
        assert all(texts[job] == f"text of {job}" for job in texts)
        pictures = {path.stem: path for path in (target / "blobs" / "results").rglob("*.webp")}
        assert images and all(pictures[job].read_bytes() == webp() for job in images)
    with node_process(target, "--no-engine") as again:
        assert again.owner_key == key
        user = httpx.get(f"{again.url}/api/v2/find_user", headers={"apikey": key}).json()
        assert user["kudos_details"]["accumulated"] > 0
        request = load.done[next(iter(acknowledged[-1]))]
        status = httpx.get(f"{again.url}/api/v2/generate/text/status/{request}").json()
        assert status["done"] and len(status["generations"]) == 1
    assert broken_rules(target / "hordenode.db") == {}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of a small horde."""
    folder = tmp_path_factory.mktemp("saved")
    with node_process(folder / "data", "--no-engine") as node:
        httpx.post(
            f"{node.url}/api/v2/generate/text/async", json=TEXT_REQUEST, headers={"apikey": ANONYMOUS}
        ).raise_for_status()
        (node.data_dir / "models.toml").write_text("# mine\n")
        write_backup(node.data_dir, folder / "horde.tar")
    return folder / "horde.tar"


def test_restore_replaces_only_when_told_and_keeps_what_was_there(tmp_path: Path, saved: Path) -> None:
    data = tmp_path / "data"
    assert restore_backup(saved, data) is None
    (data / "owner.key").write_text("another\n")
    with pytest.raises(BackupError, match="--force"):
        restore_backup(saved, data)
    former = restore_backup(saved, data, force=True)
    assert former is not None and (former / "owner.key").read_text() == "another\n"
    assert (data / "owner.key").read_text() != "another\n"
    assert (data / "models.toml").read_text() == "# mine\n"
    assert stat.S_IMODE((data / "secret.key").stat().st_mode) == 0o600


def test_restore_waits_for_no_running_node(tmp_path: Path, saved: Path) -> None:
    with node_process(tmp_path / "data", "--no-engine") as node:
        with pytest.raises(DataDirInUse):
            restore_backup(saved, node.data_dir, force=True)
        assert httpx.get(f"{node.url}/api/v2/status/heartbeat").status_code == 200
        refused = hordenode("restore", str(saved), "--force", "--data-dir", str(node.data_dir))
        assert refused.returncode == 1 and "already runs" in refused.stderr


def archive(path: Path, *members: tuple[str, bytes | None]) -> Path:
    """A tar file; members without content are links to /etc."""
    with tarfile.open(path, "w") as out:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc"
            else:
                info.size = len(content)
            out.addfile(info, io.BytesIO(content or b""))
    return path


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ([("../outside", b"x")], "outside"),
        ([("blobs/results/../../../x", b"x")], "not a backup"),
        ([("/etc/passwd", b"x")], "not a backup"),
        ([("blobs", None)], "not a backup"),
        ([("secret.key", b"00")], "no database"),
        ([("hordenode.db", b"this is no database at all, but long enough to be looked at" * 20)], "not a database"),
    ],
    ids=["above", "dots", "absolute", "link", "no database", "nonsense"],
)
def test_what_is_no_backup_is_refused_and_changes_nothing(
    tmp_path: Path, members: list[tuple[str, bytes | None]], says: str
) -> None:
    data = tmp_path / "data"
    with pytest.raises(Exception, match=says) as refused:
        restore_backup(archive(tmp_path / "bad.tar", *members), data)
    assert type(refused.value).__name__ in ("BackupError", "StoreCorrupt")
    assert {path.name for path in data.iterdir()} <= {"node.lock"}
    assert not (tmp_path / "outside").exists()


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"hello")
    with pytest.raises(BackupError, match="cannot be restored"):
        restore_backup(tmp_path / "x.tar", tmp_path / "data")


def test_a_backup_of_nothing_or_to_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="no horde"):
        write_backup(tmp_path, tmp_path / "x.tar")
    (tmp_path / "hordenode.db").touch()
    with pytest.raises(BackupError, match="no folder"):
        write_backup(tmp_path, tmp_path / "not" / "there" / "x.tar")


def test_a_backup_has_the_files_of_a_directory_that_an_older_node_left(tmp_path: Path) -> None:
    """They were spread over two levels of folders until a newer node opens it; restored they are where that one looks."""
    data, key = tmp_path / "data", "a.webp"
    blobs = FileBlobs(data / "blobs")

    async def story() -> None:
        async with open_horde(data) as horde:
            await files.keep(horde.co, RESULTS, key, webp())

    run(story())
    former = blobs.former_place(RESULTS, key)
    former.parent.mkdir()
    blobs.place(RESULTS, key).rename(former)
    assert write_backup(data, tmp_path / "horde.tar").missing == 0
    restore_backup(tmp_path / "horde.tar", tmp_path / "restored")
    assert FileBlobs(tmp_path / "restored" / "blobs").place(RESULTS, key).read_bytes() == webp()
