"""Rows about stored files; the bytes are blobs/'s."""

from __future__ import annotations

from hordenode.store.tx import Tx, statement

SAVE = statement(
    "blobs.save",
    "INSERT INTO blobs (bucket, key, size, digest, created_ms, expires_ms)"
    " VALUES (:bucket, :key, :size, :digest, :created_ms, :expires_ms)"
    " ON CONFLICT (bucket, key) DO UPDATE SET size = excluded.size, digest = excluded.digest,"
    " created_ms = excluded.created_ms, expires_ms = excluded.expires_ms",
)
KNOWN = statement("blobs.known", "SELECT 1 FROM blobs WHERE bucket = :bucket AND key = :key")
DELETE = statement("blobs.delete", "DELETE FROM blobs WHERE bucket = :bucket AND key = :key")
EXPIRED = statement(
    "blobs.expired", "SELECT bucket, key FROM blobs WHERE expires_ms < :now_ms ORDER BY expires_ms LIMIT :limit"
)


def save(tx: Tx, bucket: str, key: str, *, size: int, digest: str, created_ms: int, expires_ms: int) -> None:
    tx.run(SAVE, bucket=bucket, key=key, size=size, digest=digest, created_ms=created_ms, expires_ms=expires_ms)


def known(tx: Tx, bucket: str, key: str) -> bool:
    return tx.value(KNOWN, bucket=bucket, key=key) is not None


def delete(tx: Tx, bucket: str, key: str) -> None:
    tx.run(DELETE, bucket=bucket, key=key)


def expired(tx: Tx, now_ms: int, limit: int) -> list[tuple[str, str]]:
    """(bucket, key) of files whose time is over."""
    return [(row[0], row[1]) for row in tx.all(EXPIRED, now_ms=now_ms, limit=limit)]
