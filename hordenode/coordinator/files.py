"""Stored files with their rows: results and source images. No file is ever forgotten: `adopt` sees to a crash in between."""

from __future__ import annotations

import asyncio
import hashlib

from hordenode.blobs.images import BadImage, result_webp
from hordenode.blobs.journal import Entry
from hordenode.coordinator.context import Coordinator
from hordenode.protocol.errors import PlainError
from hordenode.store import blobs
from hordenode.store.tx import Tx

FILE_LIFE_MS = 24 * 3_600_000  # far beyond a request's life: the janitor removes a file together with its request
LARGE = 2**20  # bytes that are not looked at on the event loop


async def keep_picture(co: Coordinator, bucket: str, key: str, data: bytes) -> str:
    """Store what a worker sends as a picture; returns its digest. PlainError 400 for what is none."""
    try:
        webp = await result_webp(data)
    except BadImage as error:
        raise PlainError(400, f"The upload is not a usable picture: {error}") from error
    return await keep(co, bucket, key, webp)


async def keep(co: Coordinator, bucket: str, key: str, data: bytes) -> str:
    """Store a file and its row; returns its digest (hex SHA-256)."""
    digest = _digest(data) if len(data) < LARGE else await asyncio.to_thread(_digest, data)
    row = co.db.write(lambda tx: _save(tx, co, bucket, key, len(data), digest))
    outcomes = await asyncio.gather(row, co.blobs.put(bucket, key, data), return_exceptions=True)
    for outcome in outcomes:
        if outcome is not None:
            raise outcome
    return digest


async def adopt(co: Coordinator, entries: list[Entry]) -> None:
    """At start: rows for files that came right before a crash, which then may lack them; the janitor removes those."""

    def save(tx: Tx) -> None:
        for entry in entries:
            if not blobs.known(tx, entry.bucket, entry.key):
                data = entry.data or b""
                _save(tx, co, entry.bucket, entry.key, len(data), _digest(data))

    await co.db.write(save)


def _save(tx: Tx, co: Coordinator, bucket: str, key: str, size: int, digest: str) -> None:
    now = co.clock.now_ms()
    blobs.save(tx, bucket, key, size=size, digest=digest, created_ms=now, expires_ms=now + FILE_LIFE_MS)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def remove(co: Coordinator, bucket: str, key: str) -> None:
    """Delete a file; one that is not there is fine."""
    await co.blobs.delete(bucket, key)
    await co.db.write(lambda tx: blobs.delete(tx, bucket, key))
