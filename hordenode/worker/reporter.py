"""Telling a hordenode elsewhere what jobs do as they run: a few reports a second, whatever the number of tokens."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from hordenode.client.base import Unreachable
from hordenode.engine.jobs import Picture, Progress, TokenLikelihood
from hordenode.protocol.errors import HordeError
from hordenode.protocol.events import JobReport
from hordenode.worker.results import encode_preview, wire_likelihood

log = logging.getLogger("hordenode.worker")

EVERY_S = 0.2


class TakesReports(Protocol):
    """client/http.py: a horde that may be a hordenode."""

    async def report(self, job_id: str, body: JobReport) -> None: ...


@dataclass(slots=True)
class _News:
    """What a job did since the last report."""

    step: int
    steps: int
    text: str = ""
    preview: Picture | None = None
    logprobs: list[TokenLikelihood] = field(default_factory=list)

    def report(self) -> JobReport:
        preview = b"" if self.preview is None else encode_preview(self.preview)
        return JobReport(
            step=self.step,
            steps=self.steps,
            text=self.text,
            logprobs=tuple(wire_likelihood(each) for each in self.logprobs),
            preview=base64.b64encode(preview).decode(),
        )


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
        news.logprobs += [] if progress.logprobs is None else [progress.logprobs]
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
        try:
            await self._horde.report(job_id, news.report())
        except HordeError as error:
            if error.rc is None and error.status in (404, 405):  # no such address: another kind of horde
                self._refused = True
            else:
                log.debug("a report of job %s was refused: %s", job_id, error)
        except Unreachable as error:
            log.debug("a report of job %s did not arrive: %s", job_id, error)
