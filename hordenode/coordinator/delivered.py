"""What was delivered in the last minute and hour, as sums: a busy horde delivers a million jobs an hour."""

from __future__ import annotations

from collections import deque

import msgspec

from hordenode.domain.entities import Kind

SECOND_MS, MINUTE_MS, HOUR_MS = 1000, 60_000, 3_600_000


class Delivery(msgspec.Struct, frozen=True):
    """One delivered job. speed: things per second, for an alchemist seconds per form."""

    at_ms: int
    kind: Kind
    model: str
    things: int
    speed: float


class _Window:
    """A sum and a count of what came lately, in steps of so many milliseconds."""

    __slots__ = ("_length", "_step", "_steps", "count", "total")

    def __init__(self, step_ms: int, length_ms: int) -> None:
        self._step, self._length = step_ms, length_ms
        self._steps: deque[tuple[int, float, int]] = deque()  # when it began, sum, count
        self.total, self.count = 0.0, 0

    def add(self, at_ms: int, amount: float) -> None:
        began = at_ms - at_ms % self._step
        last_began, total, count = self._steps[-1] if self._steps else (began - 1, 0.0, 0)
        if last_began >= began:  # or the clock was set back
            self._steps[-1] = (last_began, total + amount, count + 1)
        else:
            self._steps.append((began, amount, 1))
        self.total, self.count = self.total + amount, self.count + 1

    def forget(self, now_ms: int) -> None:
        """Leave out what is older than the window, to a step."""
        while self._steps and now_ms - self._steps[0][0] > self._length:
            _, total, count = self._steps.popleft()
            self.total, self.count = self.total - total, self.count - count


class Delivered:
    """Of all workers, since the node started."""

    def __init__(self) -> None:
        self._things = {kind: _Window(SECOND_MS, MINUTE_MS) for kind in Kind}
        self._speeds: dict[tuple[Kind, str], _Window] = {}

    def add(self, delivery: Delivery) -> None:
        self._things[delivery.kind].add(delivery.at_ms, delivery.things)
        key = delivery.kind, delivery.model
        window = self._speeds.get(key)
        if window is None:
            window = self._speeds[key] = _Window(MINUTE_MS, HOUR_MS)
        window.add(delivery.at_ms, delivery.speed)

    def things(self, kind: Kind, now_ms: int) -> int:
        """In the last minute."""
        window = self._things[kind]
        window.forget(now_ms)
        return round(window.total)

    def speed(self, kind: Kind, model: str, now_ms: int) -> float:
        """The mean of the last hour, 0 when there was nothing."""
        window = self._speeds.get((kind, model))
        if window is None:
            return 0.0
        window.forget(now_ms)
        return window.total / window.count if window.count else 0.0

    def forget(self, now_ms: int) -> None:
        """Let go of models that nobody served for an hour."""
        for key, window in list(self._speeds.items()):
            window.forget(now_ms)
            if not window.count:
                del self._speeds[key]
