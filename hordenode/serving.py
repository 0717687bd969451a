"""A process that only works for another horde: an engine and its workers, no coordinator. What `hordenode join` does."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

from hordenode.catalog import load_catalog
from hordenode.config import Contribution, Settings
from hordenode.crew import Contributed, Crew
from hordenode.engine.engine import Engine
from hordenode.engine.jobs import EngineError
from hordenode.protocol.errors import HordeError
from hordenode.server import on_signals
from hordenode.worker.worker import WorkerRefused

FIRST_CHOICE = 0  # there is no local work to go before it


async def serve_horde(settings: Settings, entry: Contribution, on_ready: Callable[[str, Contributed], None]) -> None:
    """Work for a horde until SIGINT or SIGTERM; a second one skips the grace of running jobs.

    on_ready(alias, workers) is called once the horde knows the key. Raises HordeError, Unreachable, ConfigError,
    EngineError without a model to offer, and WorkerRefused when the horde does not take the workers.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = Engine(load_catalog(settings.data_dir), settings.engine)
    contributed = Contributed(entry, engine, lambda: secrets.randbits(32), settings.data_dir, FIRST_CHOICE)
    if not contributed.workers:
        raise EngineError("there is no model to offer. `hordenode models list` shows what this machine can run.")
    alias = await _alias(contributed)
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


async def _alias(contributed: Contributed) -> str:
    """The user whose key it is; WorkerRefused when nobody has it."""
    try:
        return (await contributed.horde.find_user()).username
    except HordeError as error:
        if error.rc in ("UserNotFound", "InvalidAPIKey"):
            raise WorkerRefused("it does not know this API key.") from error
        raise
