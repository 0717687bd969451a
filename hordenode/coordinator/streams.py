"""Who hears of which event: subscriptions by topic, so that an event costs only those whom it concerns.

A user hears of its own requests and kudos; whoever knows a request's id may follow that request, as it may read its
status (contract 9); moderators hear of everybody's requests, but not what they say or show.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from hordenode.domain.entities import User
from hordenode.ops.events import (
    QUEUE_LENGTH,
    JobDone,
    JobFaulted,
    JobPopped,
    JobProgress,
    KudosMoved,
    RequestDone,
    RequestQueued,
    Subscription,
    WorkerSeen,
)
from hordenode.protocol.errors import PlainError

EVERYBODY = "everybody"
MODERATORS = "moderators"
OF_REQUEST = (RequestQueued, RequestDone)
OF_JOB = (JobPopped, JobProgress, JobDone, JobFaulted)
RETRY_AFTER_S = 10


def topics_of(event: object) -> tuple[Hashable, ...]:
    """Whom an event concerns, apart from moderators."""
    if isinstance(event, OF_JOB):
        return (("request", event.request_id), ("user", event.user_id))
    if isinstance(event, OF_REQUEST):
        return (("request", event.id), ("user", event.user_id))
    if isinstance(event, KudosMoved):
        return (("user", event.account),)
    return (EVERYBODY,) if isinstance(event, WorkerSeen) else ()


def topics_for(viewer: User | None, requests: Iterable[str]) -> frozenset[Hashable]:
    """What a user may hear of who names these requests. The anonymous user is many people: only what they name."""
    found: set[Hashable] = {EVERYBODY, *(("request", request_id) for request_id in requests)}
    if viewer is not None and not viewer.anonymous:
        found.add(("user", viewer.id))
        if viewer.moderator or viewer.admin:
            found.add(MODERATORS)
    return frozenset(found)


class Streams:
    """All subscriptions. `most` in all, `most_each` of one subscriber (a user, or an address of the anonymous one)."""

    def __init__(self, *, most: int = 1000, most_each: int = 32, length: int = QUEUE_LENGTH) -> None:
        self._most, self._most_each, self._length = most, most_each, length
        self._topics: dict[Hashable, set[Subscription]] = {}
        self._counts: dict[Hashable, int] = {}
        self.closed = False

    def __len__(self) -> int:
        return sum(self._counts.values())

    @contextmanager
    def subscribe(self, who: Hashable, topics: frozenset[Hashable]) -> Iterator[Subscription]:
        """Hear of these topics until the block ends. PlainError 429 or 503 where there are too many already."""
        count = self._counts.get(who, 0)
        if count >= self._most_each:
            raise PlainError(429, f"You follow {count} event streams already. Close one.", retry_after=RETRY_AFTER_S)
        if len(self) >= self._most:
            raise PlainError(503, "Too many follow this node's events. Try later.", retry_after=RETRY_AFTER_S)
        subscription = Subscription((), self._length)
        self._counts[who] = count + 1
        for topic in topics:
            self._topics.setdefault(topic, set()).add(subscription)
        try:
            yield subscription
        finally:
            self._leave(who, topics, subscription)

    def deliver(self, event: object) -> None:
        """Hand an event to whom it concerns. Call on the event loop."""
        if not self._counts:
            return
        concerned: set[Subscription] = set()
        for topic in topics_of(event):
            concerned |= self._topics.get(topic, set())
        for subscription in concerned:
            subscription.offer(event)
        watching = self._topics.get(MODERATORS, set()) - concerned
        if watching:
            discreet = replace(event, text="", preview=b"", logprobs=()) if isinstance(event, JobProgress) else event
            for subscription in watching:
                subscription.offer(discreet)

    def close(self) -> None:
        """End all: the node stops."""
        self.closed = True
        for subscription in {one for subscribed in self._topics.values() for one in subscribed}:
            subscription.wake()

    def _leave(self, who: Hashable, topics: frozenset[Hashable], subscription: Subscription) -> None:
        self._counts[who] -= 1
        if not self._counts[who]:
            del self._counts[who]
        for topic in topics:
            subscribed = self._topics[topic]
            subscribed.discard(subscription)
            if not subscribed:
                del self._topics[topic]
