"""kill -9 while pictures come in, and a disk that forgets what was not synced: every accepted picture is there, whole."""

from __future__ import annotations

import asyncio
import base64
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from hordenode.blobs.files import FileBlobs
from hordenode.blobs.images import to_webp
from hordenode.blobs.journal import read
from tests.support.horde import IMAGE_POP, IMAGE_REQUEST
from tests.support.invariants import broken_rules
from tests.support.journeys import webp
from tests.support.node_process import NodeProcess, node_process

KILLS = 4
WORKERS = 8
LAST_ANSWER = 120  # of a round, at most
MOST_BYTES = 100_000


def picture(chance: random.Random) -> bytes:
    """A WebP like no other: with a chunk of noise, which decoders pass over."""
    noise = chance.randbytes(2 * chance.randrange(8, MOST_BYTES // 2))
    body = webp()[8:] + b"NOIS" + len(noise).to_bytes(4, "little") + noise
    return b"RIFF" + len(body).to_bytes(4, "little") + body


class Round:
    """One life of a node: workers that post a request, do it themselves, and are cut off."""

    def __init__(self, node: NodeProcess, accepted: dict[str, bytes], chance: random.Random) -> None:
        self._node, self._accepted, self._chance = node, accepted, chance
        self._left = chance.randrange(1, LAST_ANSWER)

    async def run(self) -> None:
        outcomes = await asyncio.gather(*(self._worker(n) for n in range(WORKERS)), return_exceptions=True)
        broken = [outcome for outcome in outcomes if not isinstance(outcome, httpx.TransportError)]
        assert not broken, broken[:3]

    async def _worker(self, number: int) -> None:
        headers = {"apikey": self._node.owner_key}
        async with httpx.AsyncClient(base_url=f"{self._node.url}/api/v2", headers=headers, timeout=60) as http:
            while True:
                await self._call(http, "/generate/async", IMAGE_REQUEST | {"r2": False})
                job = await self._call(http, "/generate/pop", IMAGE_POP | {"name": f"painter {number}"})
                if not job.get("id"):
                    continue
                data = picture(self._chance)
                if self._chance.random() < 0.5:
                    answer = await http.put(job["r2_upload"], content=data)
                    assert answer.status_code == 200, answer.text
                    sent = "R2"
                else:
                    sent = base64.b64encode(data).decode()
                await self._call(http, "/generate/submit", {"id": job["id"], "generation": sent, "seed": 1})
                self._accepted[job["id"]] = data

    async def _call(self, http: httpx.AsyncClient, path: str, body: Any) -> Any:
        answer = await http.post(path, json=body)
        assert answer.status_code in (200, 202), answer.text
        self._left -= 1
        if not self._left:
            self._node.process.kill()
        return answer.json()


def forget_unsynced(data_dir: Path) -> int:
    """Lose every file that is not known to be on the disk, as a power loss may; returns how many."""
    blobs = FileBlobs(data_dir / "blobs")
    files = {blobs.place(e.bucket, e.key) for path in (data_dir / "blobs" / ".journal").glob("*") for e in read(path)}
    for file in files:
        file.unlink(missing_ok=True)
    return len(files)


def served(node: NodeProcess) -> dict[str, bytes]:
    """The pictures of all finished jobs, by job, as their clients get them."""
    with closing(sqlite3.connect(node.database)) as connection:
        requests = [row[0] for row in connection.execute("SELECT request_id FROM jobs WHERE state = 'done'")]
    with httpx.Client(base_url=f"{node.url}/api/v2", timeout=60) as http:
        answers = [http.get(f"/generate/status/{request}").json() for request in requests]
    return {g["id"]: base64.b64decode(g["img"]) for answer in answers for g in answer["generations"]}


def test_no_accepted_picture_is_lost_and_none_is_half(tmp_path: Path) -> None:
    data_dir, accepted, chance = tmp_path / "data", dict[str, bytes](), random.Random(7)
    forgotten = 0
    for _ in range(KILLS):
        node = NodeProcess(data_dir, "--no-engine")
        asyncio.run(Round(node, accepted, chance).run())
        node.kill()
        forgotten += forget_unsynced(data_dir)
        assert broken_rules(node.database) == {}
    with node_process(data_dir, "--no-engine") as node:
        found = served(node)
        assert all(to_webp(data) == data for data in found.values())
        assert {job: found.get(job) == data for job, data in accepted.items()} == dict.fromkeys(accepted, True)
        assert node.terminate() == 0
    assert len(accepted) >= KILLS and forgotten >= KILLS
    assert not list((data_dir / "blobs" / ".journal").iterdir())
