"""Pops that nobody waits for any more: what they bring all the same is handed back as faulted, never dropped.

A horde gives a job away when it answers a pop. Whoever stops waiting for that answer (the worker stops, or loses its
patience) must not leave the job lying until the horde takes it back, minutes later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from hordenode.client.base import Unreachable
from hordenode.protocol.errors import HordeError

log = logging.getLogger("hordenode.client")

T = TypeVar("T")

LEAST_TTL_S = 150.0  # worker_protocol.md 3: what comes later was taken back by the horde already
END_TRIES, END_PAUSE_S = 3, 0.2
FAULT_TRIES, FAULT_PAUSE_S = 5, 1.0
LAST_WAIT_S = 5.0  # for answers, when the client is closed


class Strays:
    """Pops that are listened to until they are answered. pause: waits some seconds."""

    def __init__(self, pause: Callable[[float], Awaitable[object]]) -> None:
        self._pause = pause
        self._listening: set[asyncio.Task[None]] = set()

    def adopt(
        self,
        asking: asyncio.Task[T],
        end: Callable[[], Awaitable[object]] | None,
        jobs: Callable[[T], Sequence[str]],
        fault: Callable[[str], Awaitable[object]],
    ) -> None:
        """Listen to a pop. `end` asks a hordenode to answer it now, where it may wait; `fault` hands one job back."""
        task = asyncio.create_task(self._listen(asking, end, jobs, fault), name="a pop that nobody waits for")
        self._listening.add(task)
        task.add_done_callback(self._listening.discard)

    async def aclose(self) -> None:
        """Wait a little for the answers that are still to come, then hang up and say so."""
        if not self._listening:
            return
        _, late = await asyncio.wait(self._listening, timeout=LAST_WAIT_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        if late:
            log.warning("a pop was not answered; if it brought a job, the horde takes that back after a while.")

    async def _listen(
        self,
        asking: asyncio.Task[T],
        end: Callable[[], Awaitable[object]] | None,
        jobs: Callable[[T], Sequence[str]],
        fault: Callable[[str], Awaitable[object]],
    ) -> None:
        try:
            if end is not None:
                await self._ask_to_end(asking, end)
            found = jobs(await asking)
        except (HordeError, OSError):
            return  # no answer, and so no job
        finally:
            asking.cancel()
        for job_id in found:
            log.warning("job %s came when nobody waited for it any more, and is handed back.", job_id)
            await self._hand_back(job_id, fault)

    async def _ask_to_end(self, asking: asyncio.Task[T], end: Callable[[], Awaitable[object]]) -> None:
        """A few times, since it may arrive before the pop does. Other hordes know no such call, and answer soon."""
        for _ in range(END_TRIES):
            await asyncio.wait({asking}, timeout=END_PAUSE_S)
            if asking.done():
                return
            try:
                await end()
                return
            except (HordeError, OSError):
                continue

    async def _hand_back(self, job_id: str, fault: Callable[[str], Awaitable[object]]) -> None:
        for tries in range(1, FAULT_TRIES + 1):
            try:
                await fault(job_id)
                return
            except HordeError as error:
                if error.status < 500 and error.status != 429:
                    return  # it is not ours any more
            except Unreachable:
                pass
            if tries < FAULT_TRIES:
                await self._pause(FAULT_PAUSE_S)
        log.warning("job %s could not be handed back; the horde takes it back after a while.", job_id)
