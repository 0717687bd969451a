"""Stored files with their rows: results and source images. The row comes first, so that no file is ever forgotten."""

from __future__ import annotations

import hashlib

from hordenode.coordinator.context import Coordinator
from hordenode.store import blobs

FILE_LIFE_MS = 24 * 3_600_000  # far beyond a request's life: the janitor removes a file together with its request


async def keep(co: Coordinator, bucket: str, key: str, data: bytes) -> str:
    """Store a file; returns its digest (hex SHA-256)."""
    digest = hashlib.sha256(data).hexdigest()
    now = co.clock.now_ms()
    await co.db.write(
        lambda tx: blobs.save(
            tx, bucket, key, size=len(data), digest=digest, created_ms=now, expires_ms=now + FILE_LIFE_MS
        )
    )
    await co.blobs.put(bucket, key, data)
    return digest


async def remove(co: Coordinator, bucket: str, key: str) -> None:
    """Delete a file; one that is not there is fine."""
    await co.blobs.delete(bucket, key)
    await co.db.write(lambda tx: blobs.delete(tx, bucket, key))
