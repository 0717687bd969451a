"""The last stored files, in memory: a picture is mostly asked for right after it came."""

from __future__ import annotations

from typing import Generic, TypeVar

D = TypeVar("D", bytes, str)

Name = tuple[str, str]  # bucket and key


class Recent(Generic[D]):
    """The last that were added, of so many bytes (or characters) together."""

    def __init__(self, most: int) -> None:
        self._most, self._size = most, 0
        self._files: dict[Name, D] = {}

    def get(self, name: Name) -> D | None:
        return self._files.get(name)

    def add(self, name: Name, data: D) -> None:
        self.forget(name)
        if len(data) > self._most:
            return
        self._files[name] = data
        self._size += len(data)
        while self._size > self._most:
            self.forget(next(iter(self._files)))

    def forget(self, name: Name) -> None:
        gone = self._files.pop(name, None)
        self._size -= 0 if gone is None else len(gone)
