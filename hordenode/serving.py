"""A process that only works for another horde: an engine and its workers, no coordinator. What `hordenode join` does."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Callable
from typing import Any

from hordenode.catalog import load_catalog
from hordenode.client.base import Unreachable
from hordenode.client.guard import make_guard
from hordenode.config import Contribution, Settings
from hordenode.crew import Contributed, Crew, engine_of
from hordenode.engine.engine import Engine
from hordenode.engine.jobs import EngineError
from hordenode.protocol.errors import HordeError
from hordenode.server import on_signals
from hordenode.worker.worker import WorkerRefused

LONGEST_PAUSE_S = 30.0
SERVER_TROUBLE = 500  # from this status on it is not the worker's doing
FIRST_CHOICE = 0  # there is no local work to go before it


async def serve_horde(
    settings: Settings,
    entry: Contribution,
    on_ready: Callable[[str, Contributed], None],
    on_waiting: Callable[[Exception], None] | None = None,
) -> None:
    """Work for a horde until SIGINT or SIGTERM; a second one skips the grace of running jobs.

    on_ready(alias, workers) is called once the horde knows the key. on_waiting: a horde that cannot be reached is waited
    for, after telling this once; without it that is an end. Raises HordeError, Unreachable, ConfigError,
    EngineError without a model to offer, and WorkerRefused when the horde does not take the workers.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = Engine(load_catalog(settings.data_dir), engine_of(entry, settings.engine))
    guard = make_guard(settings.outgoing)
    contributed = Contributed(entry, engine, lambda: secrets.randbits(32), settings.data_dir, FIRST_CHOICE, guard)
    if not contributed.workers:
        raise EngineError("there is no model to offer. `hordenode models list` shows what this machine can run.")
    alias = await _alias(contributed, on_waiting)
    await engine.start()
    crew, hurry = Crew(), asyncio.Event()
    crew.others = [contributed]
    told = asyncio.Event()
    work: asyncio.Task[Any] = asyncio.create_task(contributed.serve(), name="workers")

    def stop() -> None:
        (hurry if told.is_set() else told).set()

    try:
        with on_signals(stop):
            on_ready(alias, contributed)
            waiting = asyncio.create_task(told.wait())
            await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if not work.done():
                await crew.drain([work], hurry, settings.shutdown.grace)
            await asyncio.gather(work, return_exceptions=told.is_set())
    finally:
        await engine.close()


async def _alias(contributed: Contributed, on_waiting: Callable[[Exception], None] | None) -> str:
    """The user whose key it is; WorkerRefused when nobody has it."""
    for tries in itertools.count():
        try:
            return (await contributed.horde.find_user()).username
        except (HordeError, Unreachable) as error:
            if isinstance(error, HordeError) and error.rc in ("UserNotFound", "InvalidAPIKey"):
                raise WorkerRefused("it does not know this API key.") from error
            if on_waiting is None or (isinstance(error, HordeError) and error.status < SERVER_TROUBLE):
                raise
            if tries == 0:
                on_waiting(error)
        await asyncio.sleep(min(LONGEST_PAUSE_S, 2.0**tries))
    raise AssertionError("tries do not end")
