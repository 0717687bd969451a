"""Texts of another program, side by side: `parallel` at a time, the more urgent ones first.

When a more urgent text comes and all places are taken, the least urgent one is stopped and goes on later from what it has
written so far. A conversation cannot: only its program knows how the answer so far would be put into words.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import queue
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from hordenode.engine.backends import Failure, Outcome
from hordenode.engine.jobs import Progress, TextJob, TextResult
from hordenode.engine.remote.dialect import Texts
from hordenode.engine.remote.loop import Loop

LOOK_S = 0.02  # until jobs that came meanwhile are seen


@dataclass(slots=True, order=True)
class _Text:
    """A text that waits or is being written. `pieces`: about as many tokens; `before`: what earlier runs have written."""

    priority: int
    arrival: int
    job: TextJob = field(compare=False)
    text: str = field(default="", compare=False)
    pieces: int = field(default=0, compare=False)
    before: str = field(default="", compare=False)
    task: asyncio.Task[None] | None = field(default=None, compare=False)

    def rest(self) -> TextJob:
        """What is still to be written."""
        prompt, length = self.job.prompt + self.text, max(1, self.job.max_length - self.pieces)
        return replace(self.job, prompt=prompt, max_length=length) if self.text else self.job

    def take(self, outcome: Outcome) -> Outcome:
        """What this run says, as that of the whole text."""
        if isinstance(outcome, Progress):
            self.text += outcome.text
            self.pieces += 1
            return outcome._replace(step=min(self.pieces, self.job.max_length), steps=self.job.max_length)
        if isinstance(outcome, TextResult) and self.before:
            return replace(outcome, text=self.before + outcome.text, tokens=self.pieces)
        return outcome


class Writings:
    """See Batches. theirs: the program's name of a model, or UnknownModel."""

    def __init__(self, dialect: Texts, loop: Loop, theirs: Callable[[str], str], parallel: int) -> None:
        self._dialect = dialect
        self._loop = loop
        self._theirs = theirs
        self._parallel = max(1, parallel)
        self._waiting: list[_Text] = []
        self._arrivals = itertools.count()
        self._running: dict[str, _Text] = {}
        self._told: queue.SimpleQueue[tuple[asyncio.Task[Any] | None, Outcome]] = queue.SimpleQueue()

    @property
    def busy(self) -> bool:
        return bool(self._waiting or self._running)

    def prepare(self, job: TextJob) -> TextJob:
        """A conversation is the program's to put into words."""
        return job

    def add(self, job: TextJob) -> None:
        heapq.heappush(self._waiting, _Text(job.priority, next(self._arrivals), job))
        self._fill()

    def drop(self, job_id: str) -> None:
        self._waiting = [each for each in self._waiting if each.job.id != job_id]
        heapq.heapify(self._waiting)
        text = self._running.pop(job_id, None)
        if text is not None:
            self._stop(text)
        self._fill()

    def step(self) -> list[Outcome]:
        """What came since the last look, or nothing after a moment: there may be new orders."""
        found: list[Outcome] = []
        with suppress(queue.Empty):
            told = self._told.get(timeout=LOOK_S)
            while True:
                self._take(*told, found)
                told = self._told.get_nowait()
        self._fill()
        return found

    def _take(self, task: asyncio.Task[Any] | None, outcome: Outcome, found: list[Outcome]) -> None:
        """What a text that was stopped still says is nobody's any more, though its id may be in use again."""
        text = self._running.get(outcome.id)
        if text is not None and text.task is task:
            found.append(text.take(outcome))
            if not isinstance(outcome, Progress):
                del self._running[outcome.id]

    def _fill(self) -> None:
        while self._waiting and (len(self._running) < self._parallel or self._make_way(self._waiting[0])):
            text = heapq.heappop(self._waiting)
            self._running[text.job.id] = text
            text.task = self._loop.start(self._write(text.rest()))

    def _make_way(self, text: _Text) -> bool:
        """Stop the last of the least urgent, if it matters less."""
        able = [each for each in self._running.values() if not each.job.messages]
        victim = max(able, default=text)
        if victim.priority <= text.priority:
            return False
        del self._running[victim.job.id]
        self._stop(victim)
        victim.before = victim.text
        heapq.heappush(self._waiting, victim)
        return True

    def _stop(self, text: _Text) -> None:
        if text.task is not None:
            self._loop.cancel(text.task)
            text.task = None

    async def _write(self, job: TextJob) -> None:
        task = asyncio.current_task()

        def tell(progress: Progress) -> None:
            self._told.put((task, progress))

        outcome: Outcome
        try:
            outcome = await self._dialect.write(replace(job, model=self._theirs(job.model)), tell)
        except Exception as error:  # whatever is wrong with a job, the others go on
            outcome = Failure(job.id, error)
        self._told.put((task, outcome))
