"""Digests of files: SHA-256, and git's SHA-1 of small files that a hub keeps without one."""

from __future__ import annotations

import hashlib
from pathlib import Path

CHUNK = 2**20


def sha256(file: Path) -> str:
    """Of a whole file, in hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def matches(file: Path, digest: str) -> bool:
    """Whether a file has this digest: 64 digits of SHA-256, or 40 of git's blob id."""
    if len(digest) == 64:
        return sha256(file) == digest.lower()
    head = hashlib.sha1(b"blob %d\0" % file.stat().st_size, usedforsecurity=False)
    with file.open("rb") as stream:
        while block := stream.read(CHUNK):
            head.update(block)
    return head.hexdigest() == digest.lower()
