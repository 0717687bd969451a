"""Stored files with their rows: results and source images. No file is ever forgotten: `adopt` sees to a crash in between."""

from __future__ import annotations

import hashlib

import msgspec

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


class Kept(msgspec.Struct, frozen=True):
    """A stored file, as its row will have it. digest: hex SHA-256."""

    bucket: str
    key: str
    size: int
    digest: str


async def put(co: Coordinator, bucket: str, key: str, data: bytes) -> Kept:
    """Store a file; the caller sees to its row (`save`)."""
    co.inline.forget((bucket, key))
    return Kept(bucket, key, len(data), await co.blobs.put(bucket, key, data))


async def keep(co: Coordinator, bucket: str, key: str, data: bytes) -> str:
    """Store a file and its row; returns its digest."""
    kept = await put(co, bucket, key, data)
    await co.db.write(lambda tx: save(tx, co, kept))
    return kept.digest


async def adopt(co: Coordinator, entries: list[Entry]) -> None:
    """At start: rows for files that came right before a crash, which then may lack them; the janitor removes those."""

    def adopt_all(tx: Tx) -> None:
        for entry in entries:
            if not blobs.known(tx, entry.bucket, entry.key):
                data = entry.data or b""
                save(tx, co, Kept(entry.bucket, entry.key, len(data), hashlib.sha256(data).hexdigest()))

    await co.db.write(adopt_all)


def save(tx: Tx, co: Coordinator, kept: Kept) -> None:
    """The row of a stored file."""
    now = co.clock.now_ms()
    blobs.save(
        tx,
        kept.bucket,
        kept.key,
        size=kept.size,
        digest=kept.digest,
        created_ms=now,
        expires_ms=now + FILE_LIFE_MS,
    )


async def remove(co: Coordinator, bucket: str, key: str) -> None:
    """Delete a file; one that is not there is fine."""
    await co.blobs.delete(bucket, key)
    await co.db.write(lambda tx: blobs.delete(tx, bucket, key))
