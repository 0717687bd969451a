"""Long polls: the answer as soon as it is worth having, or when the caller's patience is over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol, TypeVar

from hordenode.coordinator.context import Coordinator

MAX_WAIT_S = 120.0  # far below the five minutes after which a silent worker counts as gone


class HasDone(Protocol):
    @property
    def done(self) -> bool: ...


A = TypeVar("A", bound=HasDone)


async def until_change(co: Coordinator, request_id: str, seconds: float, look: Callable[[], Awaitable[A]]) -> A:
    """What `look` says: at once when the request is done, else at its next change, or after `seconds`."""
    if seconds <= 0:
        return await look()
    with co.doorbell.listen(request_id) as heard:
        answer = await look()
        if answer.done or co.stopping:
            return answer
        await bell(heard, seconds)
        return await look()


async def bell(heard: asyncio.Event, seconds: float) -> bool:
    """Wait for it, but no longer than that; whether it rang."""
    with suppress(TimeoutError):
        async with asyncio.timeout(min(seconds, MAX_WAIT_S)):
            await heard.wait()
    return heard.is_set()
