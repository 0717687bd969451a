"""When users and keys were last seen. In memory, so that a request writes nothing for it; the janitor stores it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Activity:
    """Times in UTC milliseconds since the last `take`."""

    users: dict[int, int] = field(default_factory=dict)
    keys: dict[bytes, int] = field(default_factory=dict)

    def saw(self, user_id: int, digest: bytes | None, now_ms: int) -> None:
        """A user called, with this key."""
        self.users[user_id] = now_ms
        if digest is not None:
            self.keys[digest] = now_ms

    def take(self) -> tuple[dict[int, int], dict[bytes, int]]:
        """What is not stored yet, which is forgotten here."""
        taken = self.users, self.keys
        self.users, self.keys = {}, {}
        return taken
