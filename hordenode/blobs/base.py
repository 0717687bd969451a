"""BlobStore: where results and source images are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class BlobStore(Protocol):
    """Files by bucket and key. ValueError for a name that is not letters, digits, dot, underscore and dash."""

    async def put(self, bucket: str, key: str, data: bytes) -> str:
        """Store whole or not at all, durable when it returns its SHA-256 (hex); the same key again replaces it."""
        ...

    async def get(self, bucket: str, key: str) -> bytes | None:
        """The bytes, None when there are none."""
        ...

    async def path(self, bucket: str, key: str) -> Path | None:
        """A file with the bytes, None when there is none."""
        ...

    async def delete(self, bucket: str, key: str) -> None:
        """Remove; removing what is not there is fine."""
        ...

    async def usage(self) -> int:
        """Bytes in use."""
        ...

    async def close(self) -> None:
        """Finish what is under way; nothing else may be called afterwards."""
        ...
