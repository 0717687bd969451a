"""Background tasks with a name, an owner and an end (ARCHITECTURE 3.8).

A periodic task that fails is logged and tried again, later each time; a service that ends while it should run stops
the node.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

log = logging.getLogger("hordenode.tasks")

JITTER = 0.1
MAX_BACK_OFF = 8.0
MISSED_PERIODS = 3


@dataclass(frozen=True, slots=True)
class Periodic:
    """Something to do every `period_s` seconds, give or take a tenth."""

    name: str
    period_s: float
    run: Callable[[], Awaitable[object]]


@dataclass(slots=True)
class TaskHealth:
    """How a periodic task fares. Times on the monotonic clock, in seconds."""

    period_s: float
    last_success: float
    last_duration_s: float = 0.0
    failures: int = 0

    @property
    def late(self) -> bool:
        """Whether three periods passed without success."""
        return time.monotonic() - self.last_success > MISSED_PERIODS * self.period_s


class Supervisor:
    """Runs services and periodic tasks until `stop`. `on_dead(name)` hears of a service that ended by itself."""

    def __init__(
        self, on_dead: Callable[[str], None], pause: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._on_dead = on_dead
        self._pause = pause
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._stopping = False
        self.health: dict[str, TaskHealth] = {}

    def service(self, name: str, run: Coroutine[Any, Any, object]) -> asyncio.Task[Any]:
        """Run something that only ends when the node does."""
        task = asyncio.create_task(run, name=name)
        task.add_done_callback(lambda done: self._ended(name, done))
        self._tasks[name] = task
        return task

    def periodic(self, task: Periodic) -> None:
        """Run something every now and then; first after one period."""
        self.health[task.name] = TaskHealth(task.period_s, time.monotonic())
        self._tasks[task.name] = asyncio.create_task(self._repeat(task), name=task.name)

    def expect_ends(self) -> None:
        """From now on services may end: the node is stopping."""
        self._stopping = True

    def task(self, name: str) -> asyncio.Task[Any] | None:
        """The running task of this name."""
        return self._tasks.get(name)

    async def stop(self) -> None:
        """Cancel everything and wait for it."""
        self.expect_ends()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _repeat(self, task: Periodic) -> None:
        health = self.health[task.name]
        while True:
            back_off = min(2.0**health.failures, MAX_BACK_OFF)
            await self._pause(task.period_s * back_off * random.uniform(1 - JITTER, 1 + JITTER))
            began = time.monotonic()
            try:
                await task.run()
            except Exception:
                health.failures += 1
                log.exception("the task '%s' failed, it will be tried again", task.name)
            else:
                health.failures = 0
                health.last_success = time.monotonic()
            health.last_duration_s = time.monotonic() - began

    def _ended(self, name: str, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(name, None)
        if self._stopping or task.cancelled():
            return
        error = task.exception()
        log.error("the service '%s' ended", name, exc_info=error)
        self._on_dead(name)
