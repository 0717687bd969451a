"""How long work tells how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called again and again. `done` of `total` bytes; a total of 0 means that nobody knows."""

    def __call__(self, words: str, done: int = 0, total: int = 0) -> None:
        """What is going on, and how far it is."""
        ...
