"""The workers on one engine: for the horde in this process, and for others that the owner contributes to.

Local work goes first: a contribution pops only while nothing local is on the engine, and what it holds already stands
behind local jobs in the engine's queue.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hordenode.client.guard import Guard
from hordenode.client.http import HttpHorde
from hordenode.config import ConfigError, Contribution, EngineSettings, WorkerSettings
from hordenode.domain.entities import Kind
from hordenode.domain.names import worker_names
from hordenode.engine.engine import Engine
from hordenode.protocol.common import ANONYMOUS_KEY
from hordenode.version import AGENT
from hordenode.worker.alchemy import AlchemyWorker
from hordenode.worker.allowance import Allowance, Hours, Tally
from hordenode.worker.image import ImageWorker
from hordenode.worker.offers import MOST_AT_ONCE, alchemy_offer, image_offer, text_offer
from hordenode.worker.reporter import Reporter
from hordenode.worker.text import TextWorker
from hordenode.worker.worker import Wiring, Worker, WorkerRefused

log = logging.getLogger("hordenode.worker")

LOCAL_PRIORITY, CONTRIBUTED_PRIORITY = 0, 1
TALLY_FILE = "contributed.json"
LOOK_AGAIN_S = 0.5  # whether local work is done
LONGEST_REST_S = 600.0  # so that a changed clock is noticed


def make_workers(
    wiring: Wiring, engine: Engine, settings: WorkerSettings, *, abroad: bool = False
) -> list[Worker[Any, Any]]:
    """One worker per kind that the engine can serve and the owner offers. ConfigError for what no horde takes.

    `abroad`: they serve another horde.
    """
    if not 1 <= settings.amount <= MOST_AT_ONCE:
        raise ConfigError(f"worker.amount: {settings.amount} is not from 1 to {MOST_AT_ONCE}.")
    names = worker_names(settings.name or socket.gethostname() or "hordenode")
    found: list[Worker[Any, Any]] = []
    image = image_offer(engine.models(), settings, names[Kind.IMAGE], AGENT)
    text = text_offer(engine.models(), settings, names[Kind.TEXT], AGENT)
    forms = alchemy_offer(engine.models(), settings, names[Kind.ALCHEMY], AGENT, abroad=abroad)
    if image is not None:
        found.append(ImageWorker(wiring, image))
    if text is not None:
        found.append(TextWorker(wiring, text))
    if forms is not None:
        found.append(AlchemyWorker(wiring, forms))
    return found


class Contributed:
    """The workers for one other horde."""

    def __init__(
        self,
        settings: Contribution,
        engine: Engine,
        seed: Callable[[], int],
        data_dir: Path,
        priority: int = CONTRIBUTED_PRIORITY,
        guard: Guard | None = None,
    ) -> None:
        """ConfigError for an entry that cannot work. guard: where links of the horde may lead."""
        self.name = f"for {urlsplit(settings.horde).netloc or settings.horde}"
        self.horde = HttpHorde(settings.horde, key_of(settings), guard=guard)
        self._settings = settings
        self._engine = engine
        self._priority = priority
        self._allowance = _allowance(settings)
        self._tally = Tally(data_dir / TALLY_FILE)
        self._stopped = asyncio.Event()
        wiring = Wiring(
            self.horde,
            engine,
            seed,
            Reporter(self.horde),
            priority=priority,
            metadata=settings.metadata,
            preview_every=settings.preview_every,
            permit=self._permit,
            popped=self._popped,
        )
        self.workers = make_workers(wiring, engine, settings, abroad=True)

    async def run(self) -> None:
        """Until stopped: nothing that the other horde answers stops the node."""
        try:
            for refusal in await asyncio.gather(*(worker.run() for worker in self.workers), return_exceptions=True):
                if isinstance(refusal, WorkerRefused):
                    log.error("%s is not served any more: %s", self._settings.horde, refusal)
                elif isinstance(refusal, BaseException):
                    raise refusal
            await self._stopped.wait()
        finally:
            await self.horde.aclose()

    async def serve(self) -> None:
        """Until stopped, or until the horde does not take the workers: WorkerRefused."""
        try:
            await asyncio.gather(*(worker.run() for worker in self.workers))
        finally:
            await self.horde.aclose()

    def stop(self) -> None:
        self._stopped.set()
        for worker in self.workers:
            worker.stop()

    def abandon(self) -> None:
        for worker in self.workers:
            worker.abandon()

    async def _permit(self) -> None:
        """Wait until the owner allows another job and nothing local is to be done."""
        while True:
            now = dt.datetime.now(dt.UTC).astimezone()  # the hours are local
            rest = self._allowance.wait_s(now, self._tally.done(self.name))
            if rest == 0 and not self._engine.pending(self._priority):
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), min(rest, LONGEST_REST_S) or LOOK_AGAIN_S)
                return  # the worker stops by itself

    def _popped(self, jobs: int) -> None:
        self._tally.add(self.name, jobs)


class Crew:
    """All of them, as the node sees them."""

    def __init__(self) -> None:
        self.local: list[Worker[Any, Any]] = []
        self.others: list[Contributed] = []

    def __iter__(self) -> Iterator[Worker[Any, Any] | Contributed]:
        return iter((*self.local, *self.others))

    def stop_job(self, job_id: str) -> None:
        """Stop a job of the local horde."""
        for worker in self.local:
            worker.stop_job(job_id)

    async def drain(self, tasks: list[asyncio.Task[Any]], hurry: asyncio.Event, grace_s: float) -> None:
        """Workers finish what they hold within the grace time, or until told to hurry, then give it up.

        tasks: those that run them.
        """
        for worker in self:
            worker.stop()
        if not tasks:
            return
        hurried: asyncio.Future[Any] = asyncio.ensure_future(hurry.wait())
        finished: asyncio.Future[Any] = asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.wait({hurried, finished}, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        for worker in self:
            worker.abandon()
        finished.cancel()


def engine_of(entry: Contribution, engine: EngineSettings) -> EngineSettings:
    """The engine that serves an entry: the node's, or one of its own."""
    if not entry.engine:
        return engine
    if engine.url and engine.backend != entry.engine:  # what it says is another program's
        engine = EngineSettings(parallel=engine.parallel, timeout=engine.timeout, ignore=engine.ignore)
    return replace(
        engine,
        backend=entry.engine,
        url=entry.engine_url or engine.url,
        key=entry.engine_key or ("" if entry.engine_key_file else engine.key),
        key_file=entry.engine_key_file or engine.key_file,
        models=entry.engine_models or engine.models,
    )


def key_of(settings: Contribution) -> str:
    """The API key of an entry. ConfigError without one: contributing earns kudos for an account."""
    key = settings.key
    if settings.key_file:
        try:
            key = Path(settings.key_file).expanduser().read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(f"worker.key_file: {settings.key_file} cannot be read: {error}") from error
    if not key or key == ANONYMOUS_KEY:
        raise ConfigError(
            f"[[worker]] for {settings.horde} needs `key` or `key_file`: the API key of a registered user there."
        )
    return key


def _allowance(settings: Contribution) -> Allowance:
    try:
        hours = Hours.parse(settings.hours) if settings.hours else None
    except ValueError as error:
        raise ConfigError(f"[[worker]] for {settings.horde}: {error}") from error
    return Allowance(hours, settings.daily_jobs)
