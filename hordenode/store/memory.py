"""Rows that nearly every call reads, remembered between transactions (ARCHITECTURE 3.4: one program writes)."""

from __future__ import annotations

from typing import Any

Key = tuple[Any, ...]  # what it is, then its id

MOST = 8192
MOST_COMMITTED = 2048
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
        _keep(self._known, key, value, MOST)

    def change(self, key: Key, value: object | None) -> None:
        """What the open transaction made of it; None: ask again."""
        if key[0] == REQUEST:
            self.committed.bar(key, value)
        if value is None:
            self._known.pop(key, None)
        else:
            _keep(self._known, key, value, MOST)

    def let_go(self, key: Key) -> None:
        """It will hardly be needed again: it need not push out what is."""
        self._known.pop(key, None)

    def forget(self) -> None:
        self._known.clear()
        self.committed.bar_all()

    def settle(self) -> None:
        """The transaction is committed."""
        self.committed.settle()


class _ReadOnly:
    """A reader's statements change nothing."""

    def change(self, key: Key, value: object | None) -> None:
        raise TypeError("a reader changes nothing")

    def let_go(self, key: Key) -> None:
        raise TypeError("a reader changes nothing")

    def forget(self) -> None:
        raise TypeError("a reader changes nothing")


class Committed(_ReadOnly):
    """Requests as they are stored, for reading connections: nothing of what an open transaction changed.

    A read beside a COMMIT may find the state before or after it, but all of one state; hence what the transaction
    touched is read anew until it is settled. What another program wrote is noticed with the next transaction, of which a
    node makes one every two seconds (`Database.changed_outside`).
    """

    def __init__(self) -> None:
        self._known: dict[Key, Any] = {}
        self.get = self._known.get  # None for what is not remembered
        self._barred: dict[Key, Any] = {}  # with what they will be
        self._all_barred = True

    def keep(self, key: Key, value: object) -> None:
        """What was just read."""
        if key[0] == REQUEST and not self._all_barred and key not in self._barred:
            _keep(self._known, key, value, MOST_COMMITTED)

    def bar(self, key: Key, value: object | None) -> None:
        self._known.pop(key, None)
        self._barred[key] = value

    def bar_all(self) -> None:
        self._known.clear()
        self._barred.clear()
        self._all_barred = True

    def settle(self) -> None:
        """The open transaction is committed."""
        for key, value in self._barred.items():
            if value is not None:
                _keep(self._known, key, value, MOST_COMMITTED)
        self._barred.clear()
        self._all_barred = False


class Hints(_ReadOnly):
    """What the writing connection knows, for a reader that a write comes after."""

    def __init__(self, memory: Memory) -> None:
        self.get = memory.get

    def keep(self, key: Key, value: object) -> None:
        """Readers of hints leave none."""


def _keep(known: dict[Key, Any], key: Key, value: object, most: int) -> None:
    if len(known) >= most and key not in known:
        del known[next(iter(known))]
    known[key] = value
