"""Before and after every answer: who may come in now, and what is counted and logged of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

from starlette.types import Scope

from hordenode.api import caller
from hordenode.api.caller import Callers, HeaderMap
from hordenode.api.limits import Headers, RateLimits, TooManyRequests
from hordenode.config import LimitSettings
from hordenode.ops import metric_names as names
from hordenode.ops import trace
from hordenode.ops.metrics import Counter, Histogram, Metrics, Sample
from hordenode.ops.networks import Networks
from hordenode.protocol.errors import PlainError

log = logging.getLogger("hordenode.access")

RETRY_AFTER_S = 2


class Gate:
    """One for the whole API. busy: requests being answered, without those that only wait."""

    def __init__(self, metrics: Metrics, limits: LimitSettings, callers: Callers, *, access_log: bool = False) -> None:
        self.busy = 0
        self.access_log = access_log
        self._metrics = metrics
        self._callers = callers
        self._most = limits.in_flight
        self._exempt = Networks(limits.exempt)
        self._rates = RateLimits(limits)
        self._overloaded = metrics.counter(names.HTTP_LIMITED, "overload")
        self._limited = metrics.counter(names.HTTP_LIMITED, "rate")
        metrics.collect(self._samples)

    def admit(self, scope: Scope, headers: HeaderMap) -> Headers:
        """The limits' headers for the answer. Raises PlainError 503 when there is too much to do, 429 for too many."""
        if self.busy > self._most:
            self._overloaded.value += 1
            raise PlainError(503, "The horde is overloaded. Try again in a moment.", retry_after=RETRY_AFTER_S)
        address = self._callers.client_ip(scope, headers)
        if address in self._exempt:
            return ()
        try:
            return self._rates.count(address, caller.apikey(headers))
        except TooManyRequests:
            self._limited.value += 1
            raise

    def tally(self, method: str, path: str) -> Tally:
        """What is counted of one route."""
        return Tally(self._metrics, method, path)

    def _samples(self) -> Iterator[Sample]:
        yield Sample(names.HTTP_BUSY, self.busy)


class Tally:
    """Counts the answers of one route."""

    def __init__(self, metrics: Metrics, method: str, path: str) -> None:
        self._metrics = metrics
        self._labels = (method, path)
        self._seconds: Histogram = metrics.histogram(names.HTTP_SECONDS, method, path)
        self._statuses: dict[int, Counter] = {}

    def count(self, status: int, seconds: float | None) -> None:
        """An answer; seconds None for one that waited for something to happen."""
        counter = self._statuses.get(status)
        if counter is None:
            counter = self._metrics.counter(names.HTTP_REQUESTS, *self._labels, str(status))
            self._statuses[status] = counter
        counter.value += 1
        if seconds is not None:
            self._seconds.observe(seconds)


def log_access(scope: Scope, status: int, began: float) -> None:
    """One line of the access log: never the query, which may hold a signature."""
    client = scope.get("client")
    fields = {
        "method": scope["method"],
        "path": scope["path"],
        "status": status,
        "ms": round((time.perf_counter() - began) * 1000, 1),
        "address": client[0] if client else "",
        "request": trace.REQUEST.get(),
    }
    log.info("%(method)s %(path)s %(status)d %(ms).1f ms %(address)s", fields, extra={"fields": fields})
