"""How many jobs a worker asks for before it can begin them: as few as keep the engine busy."""

from __future__ import annotations

import math
from dataclasses import dataclass

MOST_AHEAD = 8
MARGIN = 1.5  # answers take longer now and then
NEGLIGIBLE = 0.1  # of a job's time: what comes that quickly need not be fetched ahead
MEMORY = 0.2  # weight of the newest measurement


@dataclass(slots=True)
class Pace:
    """Smoothed times in seconds: of a call to the horde, and of a job on the engine. `capacity`: jobs side by side."""

    capacity: int
    call_s: float = 0.0
    job_s: float = 0.0

    def called(self, seconds: float) -> None:
        """A call that does not wait took so long."""
        self.call_s = _smoothed(self.call_s, seconds)

    def worked(self, seconds: float) -> None:
        """A job took so long on the engine."""
        self.job_s = _smoothed(self.job_s, seconds)

    @property
    def ahead(self) -> int:
        """Jobs to hold that the engine has no room for yet."""
        if not self.job_s or self.call_s < NEGLIGIBLE * self.job_s:
            return 0
        return min(MOST_AHEAD, math.ceil(MARGIN * self.capacity * self.call_s / self.job_s))

    def pops(self, held: int, popping: int, *, idle: bool) -> int:
        """How many more pops to send, with `held` jobs not finished and `popping` unanswered.

        While there is nothing to do, one waits at the horde for whatever comes. Otherwise there are as many at a time
        as it takes to have an answer when the engine has room.
        """
        at_once = 1 if idle else 1 + self.ahead
        return max(0, min(at_once - popping, self.capacity + self.ahead - held - popping))


def _smoothed(old: float, new: float) -> float:
    return new if not old else old + MEMORY * (new - old)
