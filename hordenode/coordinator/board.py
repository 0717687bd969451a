"""Messages to workers, in memory since every pop carries them (contract 16)."""

from __future__ import annotations

from collections.abc import Iterable

from hordenode.domain.entities import Message
from hordenode.protocol.common import WorkerMessage
from hordenode.protocol.wire import rfc822


class Board:
    """The messages that have not expired, in step with what is committed; those to all are under None."""

    def __init__(self) -> None:
        self._to: dict[str | None, dict[str, Message]] = {}

    def load(self, messages: Iterable[Message]) -> None:
        """The state at start."""
        self._to = {}
        for message in messages:
            self.add(message)

    def add(self, message: Message) -> None:
        self._to.setdefault(message.worker_id, {})[message.id] = message

    def remove(self, message: Message) -> None:
        self._to.get(message.worker_id, {}).pop(message.id, None)

    def drop(self, user_id: int) -> None:
        """The messages of a user that is gone."""
        self.load([m for messages in self._to.values() for m in messages.values() if m.user_id != user_id])

    def of_worker(self, worker_id: str, now_ms: int) -> tuple[Message, ...]:
        """What this worker is told now, oldest first."""
        if not self._to:
            return ()
        found = [m for to in (worker_id, None) for m in self._to.get(to, {}).values()]
        for message in found:
            if message.expires_ms <= now_ms:
                self.remove(message)
        return tuple(sorted((m for m in found if m.expires_ms > now_ms), key=lambda m: m.created_ms))

    def for_pop(self, worker_id: str, now_ms: int) -> tuple[WorkerMessage, ...]:
        """The same as the answer to a pop has it."""
        return tuple(
            WorkerMessage(id=m.id, message=m.message, origin=m.origin, expiry=rfc822(m.expires_ms))
            for m in self.of_worker(worker_id, now_ms)
        )
