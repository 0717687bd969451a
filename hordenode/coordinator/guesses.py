"""Wrong codes: how many an address may try in a minute, so that none is ever guessed.

In memory and counted in whole minutes, as api/limits.py does it; but nobody is exempt, and what turns out right does
not count. A try counts from its beginning: a thousand at once are no way around it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from hordenode.ops.clock import Clock
from hordenode.ops.networks import site_of
from hordenode.protocol.errors import PlainError

WINDOW_MS = 60_000
MOST = 10


class Guesses:
    """Wrong codes of this minute, by address; an IPv6 host counts with its whole network, which is its to choose from."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._window = 0
        self._tried: Counter[str] = Counter()

    @contextmanager
    def attempt(self, address: str) -> Iterator[None]:
        """One try: wrong if the block raises. Raises PlainError 429 when this address had its share."""
        window, spent = divmod(self._clock.now_ms(), WINDOW_MS)
        if window != self._window:
            self._window = window
            self._tried.clear()
        site = site_of(address)
        if self._tried[site] >= MOST:
            seconds = -(-(WINDOW_MS - spent) // 1000)
            raise PlainError(
                429, f"Too many wrong codes from your address. Try again in {seconds} s.", retry_after=seconds
            )
        self._tried[site] += 1
        yield
        if self._window == window:
            self._tried[site] -= 1
