"""Telling a hordenode elsewhere what jobs do as they run: a few reports a second, whatever the number of tokens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from hordenode.client.base import Unreachable
from hordenode.engine.jobs import Picture, Progress
from hordenode.protocol.errors import HordeError
from hordenode.worker.results import encode_preview

log = logging.getLogger("hordenode.worker")

EVERY_S = 0.2


class TakesReports(Protocol):
    """client/http.py: a horde that may be a hordenode."""

    async def report(self, job_id: str, step: int, steps: int, *, text: str, preview: bytes) -> None: ...


@dataclass(slots=True)
class _News:
    """What a job did since the last report."""

    step: int
    steps: int
    text: str = ""
    preview: Picture | None = None


class Reporter:
    """Call it with each Progress, on the event loop. A horde that takes no reports is asked once."""

    def __init__(self, horde: TakesReports, pause: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        self._horde = horde
        self._pause = pause
        self._news: dict[str, _News] = {}
        self._task: asyncio.Task[None] | None = None
        self._refused = False

    def __call__(self, progress: Progress) -> None:
        if self._refused:
            return
        news = self._news.setdefault(progress.id, _News(0, 0))
        news.step, news.steps = progress.step, progress.steps
        news.text += progress.text
        news.preview = progress.preview or news.preview
        if self._task is None:
            self._task = asyncio.create_task(self._send(), name="reports of jobs")

    async def _send(self) -> None:
        """Until there is nothing new."""
        try:
            while self._news and not self._refused:
                news, self._news = self._news, {}
                for job_id, each in news.items():
                    await self._tell(job_id, each)
                await self._pause(EVERY_S)
        finally:
            self._task = None

    async def _tell(self, job_id: str, news: _News) -> None:
        preview = b"" if news.preview is None else encode_preview(news.preview)
        try:
            await self._horde.report(job_id, news.step, news.steps, text=news.text, preview=preview)
        except HordeError as error:
            if error.rc is None and error.status in (404, 405):  # no such address: another kind of horde
                self._refused = True
            else:
                log.debug("a report of job %s was refused: %s", job_id, error)
        except Unreachable as error:
            log.debug("a report of job %s did not arrive: %s", job_id, error)
