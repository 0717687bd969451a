"""Messages to workers, in memory since every pop carries them (contract 16)."""

from __future__ import annotations

from collections.abc import Iterable

from hordenode.domain.entities import Message
from hordenode.protocol.common import WorkerMessage
from hordenode.protocol.wire import rfc822


class Board:
    """The messages that have not expired, in step with what is committed."""

    def __init__(self) -> None:
        self._messages: dict[str, Message] = {}

    def load(self, messages: Iterable[Message]) -> None:
        """The state at start."""
        self._messages = {message.id: message for message in messages}

    def add(self, message: Message) -> None:
        self._messages[message.id] = message

    def remove(self, message_id: str) -> None:
        self._messages.pop(message_id, None)

    def drop(self, user_id: int) -> None:
        """The messages of a user that is gone."""
        self._messages = {id_: message for id_, message in self._messages.items() if message.user_id != user_id}

    def of_worker(self, worker_id: str, now_ms: int) -> tuple[Message, ...]:
        """What this worker is told now, oldest first."""
        if not self._messages:
            return ()
        for message in [m for m in self._messages.values() if m.expires_ms <= now_ms]:
            del self._messages[message.id]
        return tuple(m for m in self._messages.values() if m.worker_id in (None, worker_id))

    def for_pop(self, worker_id: str, now_ms: int) -> tuple[WorkerMessage, ...]:
        """The same as the answer to a pop has it."""
        return tuple(
            WorkerMessage(id=m.id, message=m.message, origin=m.origin, expiry=rfc822(m.expires_ms))
            for m in self.of_worker(worker_id, now_ms)
        )
