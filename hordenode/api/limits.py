"""How many requests a minute one address and one key may make (contract 1: 429 without rc, X-RateLimit-*).

Counted in whole minutes: a counter each, all forgotten at the minute's end, so that no flood of addresses fills memory.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from hordenode.config import LimitSettings
from hordenode.protocol.errors import PlainError

WINDOW_S = 60

Headers = tuple[tuple[str, str], ...]


class RateLimits:
    """Counts requests by address and by key. `now` gives seconds since 1970."""

    def __init__(self, settings: LimitSettings, now: Callable[[], float] = time.time) -> None:
        self._per_address, self._per_key = settings.per_address, settings.per_key
        self._now = now
        self._window = 0
        self._addresses: dict[str, int] = {}
        self._keys: dict[str, int] = {}

    def count(self, address: str, key: str | None) -> Headers:
        """Count a request; the headers of its answer. Raises PlainError 429 when there were too many this minute."""
        now = self._now()
        window = int(now // WINDOW_S)
        if window != self._window:
            self._window = window
            self._addresses.clear()
            self._keys.clear()
        limit, used = self._per_address, _add(self._addresses, address)
        if key is not None and self._per_key:
            key_used = _add(self._keys, key)
            if not limit or self._per_key - key_used < limit - used:
                limit, used = self._per_key, key_used
        if not limit:
            return ()
        ends = (window + 1) * WINDOW_S
        headers = _headers(limit, limit - used, ends)
        if used > limit:
            raise TooManyRequests(limit, math.ceil(ends - now), headers)
        return headers


class TooManyRequests(PlainError):
    """429, with the headers that say when to come back."""

    def __init__(self, limit: int, seconds: int, headers: Headers) -> None:
        super().__init__(
            429, f"Too many requests: {limit} a minute are allowed. Try again in {seconds} s.", retry_after=seconds
        )
        self.headers = headers


def _add(counts: dict[str, int], who: str) -> int:
    used = counts[who] = counts.get(who, 0) + 1
    return used


def _headers(limit: int, left: int, ends: int) -> Headers:
    return (
        ("X-RateLimit-Limit", str(limit)),
        ("X-RateLimit-Remaining", str(max(0, left))),
        ("X-RateLimit-Reset", str(ends)),
    )
