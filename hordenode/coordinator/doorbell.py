"""Waking those who wait for a request to change, without polling: long polls and the embedding API."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterator
from contextlib import contextmanager


class Doorbell:
    """`listen` before looking, then wait for the event: nothing that rings in between is lost."""

    def __init__(self) -> None:
        self._listeners: dict[Hashable, set[asyncio.Event]] = {}

    @contextmanager
    def listen(self, key: Hashable) -> Iterator[asyncio.Event]:
        """An event that is set by each `ring(key)`; the listener clears it before it looks again."""
        heard = asyncio.Event()
        self._listeners.setdefault(key, set()).add(heard)
        try:
            yield heard
        finally:
            listeners = self._listeners[key]
            listeners.discard(heard)
            if not listeners:
                del self._listeners[key]

    def listeners(self, key: Hashable) -> int:
        """How many listen for this key."""
        return len(self._listeners.get(key, ()))

    def ring(self, key: Hashable) -> None:
        """Wake all that listen for this key. Call on the event loop."""
        for heard in self._listeners.get(key, ()):
            heard.set()

    def ring_all(self) -> None:
        """Wake everybody: the node stops."""
        for key in self._listeners:
            self.ring(key)
