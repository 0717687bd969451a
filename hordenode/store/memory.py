"""Rows that nearly every call reads, remembered between transactions (ARCHITECTURE 3.4: one program writes)."""

from __future__ import annotations

from typing import Any

Key = tuple[Any, ...]  # what it is, then its id

MOST = 8192
REQUEST = "request"  # of these keys also readers remember what was committed


class Memory:
    """What the writing connection last knew: users, their keys, balances and lanes, workers, requests, jobs, what waits.

    Every statement that changes these tables either says what it changed or empties the memory, and so do a rollback and
    another program's writes (writer.py). The oldest make room.
    """

    def __init__(self) -> None:
        self._known: dict[Key, Any] = {}
        self.get = self._known.get  # None for what is not remembered
        self.committed = Committed()

    def keep(self, key: Key, value: object) -> None:
        """What was just read."""
        _keep(self._known, key, value)

    def change(self, key: Key, value: object | None) -> None:
        """What the open transaction made of it; None: ask again."""
        if key[0] == REQUEST:
            self.committed.bar(key)
        if value is None:
            self._known.pop(key, None)
        else:
            _keep(self._known, key, value)

    def forget(self) -> None:
        self._known.clear()
        self.committed.bar_all()

    def settle(self) -> None:
        """The transaction is committed."""
        self.committed.settle(self._known)


class _ReadOnly:
    """A reader's statements change nothing."""

    def change(self, key: Key, value: object | None) -> None:
        raise TypeError("a reader changes nothing")

    def forget(self) -> None:
        raise TypeError("a reader changes nothing")


class Committed(_ReadOnly):
    """Requests as they are stored, for reading connections: nothing of what an open transaction changed.

    A read beside a COMMIT may find the state before or after it, but all of one state; hence what the transaction
    touched is read anew until it is settled.
    """

    def __init__(self) -> None:
        self._known: dict[Key, Any] = {}
        self.get = self._known.get  # None for what is not remembered
        self._barred: set[Key] = set()
        self._all_barred = True

    def keep(self, key: Key, value: object) -> None:
        """What was just read."""
        if key[0] == REQUEST and not self._all_barred and key not in self._barred:
            _keep(self._known, key, value)

    def bar(self, key: Key) -> None:
        self._known.pop(key, None)
        self._barred.add(key)

    def bar_all(self) -> None:
        self._known.clear()
        self._all_barred = True

    def settle(self, known: dict[Key, Any]) -> None:
        """The open transaction is committed; `known` is what its connection knows now."""
        for key in self._barred:
            if key in known:
                _keep(self._known, key, known[key])
        self._barred.clear()
        self._all_barred = False


class Hints(_ReadOnly):
    """What the writing connection knows, for a reader that a write comes after."""

    def __init__(self, memory: Memory) -> None:
        self.get = memory.get

    def keep(self, key: Key, value: object) -> None:
        """Readers of hints leave none."""


def _keep(known: dict[Key, Any], key: Key, value: object) -> None:
    if len(known) >= MOST and key not in known:
        del known[next(iter(known))]
    known[key] = value
