"""Events and the bus that carries them. Events are hints, the store is the truth (ARCHITECTURE 3.7)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

QUEUE_LENGTH = 1000


class RequestQueued(msgspec.Struct, frozen=True):
    """A request was accepted and waits."""

    id: str
    kind: str
    user_id: int


class RequestDone(msgspec.Struct, frozen=True):
    """Nothing of the request waits or runs any more, or it is given up."""

    id: str
    user_id: int


class JobPopped(msgspec.Struct, frozen=True):
    """A worker took a job. user_id: whose request it belongs to, here and below; waited_ms: since it was asked for."""

    id: str
    request_id: str
    user_id: int
    worker_id: str
    kind: str
    waited_ms: int


class JobProgress(msgspec.Struct, frozen=True):
    """A job made a step.

    `text` is what a text job wrote since the last event, `logprobs` how likely its tokens were (protocol/extension.py);
    `preview` a small WebP of what an image job has drawn so far.
    """

    id: str
    request_id: str
    user_id: int
    step: int
    steps: int
    text: str = ""
    preview: bytes = b""
    logprobs: tuple[object, ...] = ()


class JobDone(msgspec.Struct, frozen=True):
    """A job's result is stored. ran_ms: since a worker took it."""

    id: str
    request_id: str
    user_id: int
    kind: str
    ran_ms: int


class JobFaulted(msgspec.Struct, frozen=True):
    """A job ended without a result."""

    id: str
    request_id: str
    user_id: int


class WorkerSeen(msgspec.Struct, frozen=True):
    """A worker popped for the first time since the node started."""

    id: str
    name: str
    kind: str


class KudosMoved(msgspec.Struct, frozen=True):
    """A balance changed, in thousandths of a kudos."""

    account: int
    amount: int


class ModesChanged(msgspec.Struct, frozen=True):
    """The horde's modes are now these."""

    maintenance: bool
    invite_only: bool
    raid: bool


class Subscription:
    """What one subscriber has not read yet. `gap` says that events were dropped since it was last read."""

    def __init__(self, kinds: tuple[type, ...], length: int) -> None:
        self._kinds = kinds
        self._events: deque[object] = deque(maxlen=length)
        self._arrived = asyncio.Event()
        self.gap = False

    def offer(self, event: object) -> None:
        """Never blocks: the oldest event makes room."""
        if self._kinds and not isinstance(event, self._kinds):
            return
        self.gap = self.gap or len(self._events) == self._events.maxlen
        self._events.append(event)
        self._arrived.set()

    async def next(self) -> object:
        """The next event; waits for one."""
        while not self._events:
            await self.stir()
        return self._events.popleft()

    async def stir(self) -> None:
        """Wait until there is an event or `wake` was called."""
        if not self._events:
            self._arrived.clear()
            await self._arrived.wait()

    def wake(self) -> None:
        """End a `stir` without an event."""
        self._arrived.set()

    def take(self) -> list[object]:
        """All events that are there."""
        events = list(self._events)
        self._events.clear()
        return events


class EventBus:
    """Publish never blocks; each subscriber has a bounded queue of its own."""

    def __init__(self, length: int = QUEUE_LENGTH) -> None:
        self._length = length
        self._subscriptions: set[Subscription] = set()

    def publish(self, event: object) -> None:
        """Hand an event to all subscribers. Call on the event loop."""
        for subscription in self._subscriptions:
            subscription.offer(event)

    @contextmanager
    def subscribe(self, *kinds: type) -> Iterator[Subscription]:
        """Receive events of these kinds, or all of them, until the block ends."""
        subscription = Subscription(kinds, self._length)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
