"""`hordenode bench`: what this machine does, measured as its users would meet it.

The coordinator runs in a process of its own on an empty directory and is asked over a socket; the engine runs here,
alone. Figures are rates over some seconds, not the best of many runs: other programs on the machine show in them.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hordenode.catalog import load_catalog
from hordenode.client.raw import RawConnection
from hordenode.config import Settings
from hordenode.engine.engine import Engine
from hordenode.engine.jobs import ImageJob, Progress, TextJob

CLIENTS = 8
TEXTS = 8
SIZE, STEPS = 512, 20
LENGTH = 200
READY = "hordenode ready on "
MODEL = "bench"
REQUEST = {"prompt": "Once upon a time", "models": [MODEL], "params": {"max_length": 80}}
OFFER = {"models": [MODEL], "max_length": 512, "max_context_length": 2048, "bridge_agent": "hordenode bench:1:here"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement: what it is of, the value, and its unit."""

    part: str
    what: str
    value: float
    unit: str


async def coordinator(seconds: float) -> AsyncIterator[Figure]:
    """Round trips (post, pop, submit, status), checks and heartbeats of an empty node, with eight clients at once."""
    with tempfile.TemporaryDirectory(prefix="hordenode-bench-") as folder, _node(Path(folder)) as (url, started):
        yield Figure("coordinator", "start", started, "s")
        key = (Path(folder) / "owner.key").read_text().strip()
        async with RawConnection.several(url, key, CLIENTS) as connections:
            yield await _rate("text round trips", connections, _round_trip, seconds)
            request = (await connections[0].call("POST", "/api/v2/generate/text/async", REQUEST))["id"]
            check = f"/api/v2/generate/text/status/{request}"
            yield await _rate("checks", connections, lambda c, n: c.call("GET", check), seconds)
            yield await _rate(
                "heartbeats", connections, lambda c, n: c.call("GET", "/api/v2/status/heartbeat"), seconds
            )


async def engine(settings: Settings, seconds: float) -> AsyncIterator[Figure]:
    """Steps of the first image model, tokens of the first text model: alone, and eight texts side by side."""
    catalog = load_catalog(settings.data_dir)
    running = Engine(catalog, settings.engine)
    await running.start()
    try:
        for name in list(catalog.image)[:1]:
            async for figure in _images(running, name, seconds):
                yield figure
        for name in list(catalog.text)[:1]:
            for count in (1, TEXTS):
                yield await _texts(running, name, count, seconds)
    finally:
        await running.close()


async def _images(running: Engine, model: str, seconds: float) -> AsyncIterator[Figure]:
    job = ImageJob("warm", model, "a boat on the sea", width=SIZE, height=SIZE, steps=2)
    began = time.perf_counter()
    await running.generate(job)
    yield Figure(model, "first picture, with loading", time.perf_counter() - began, "s")
    pictures, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds or not pictures:
        await running.generate(
            ImageJob(f"{pictures}", model, "a boat on the sea", seeds=(pictures,), width=SIZE, height=SIZE, steps=STEPS)
        )
        pictures += 1
    took = time.perf_counter() - began
    yield Figure(model, f"steps at {SIZE}x{SIZE}", pictures * STEPS / took, "/s")
    yield Figure(model, f"a picture of {STEPS} steps", took / pictures, "s")


async def _texts(running: Engine, model: str, count: int, seconds: float) -> Figure:
    tokens, until = 0, 0.0

    def note(progress: Progress) -> None:
        nonlocal tokens
        tokens += 1

    async def stream(number: int) -> None:
        turn = 0
        while time.perf_counter() < until:
            job = TextJob(
                f"{number} {turn}", model, "Once upon a time", LENGTH, seed=turn, use_default_badwordsids=True
            )
            await running.generate(job, note)
            turn += 1

    await running.generate(TextJob("warm", model, "Once", 16))
    began = time.perf_counter()
    until = began + seconds
    await asyncio.gather(*(stream(number) for number in range(count)))
    what = "tokens, one text" if count == 1 else f"tokens, {count} texts side by side"
    return Figure(model, what, tokens / (time.perf_counter() - began), "/s")


async def _rate(
    what: str,
    connections: list[RawConnection],
    once: Callable[[RawConnection, int], Awaitable[object]],
    seconds: float,
) -> Figure:
    """How often all together do it in a second."""
    count, began = 0, time.perf_counter()

    async def repeat(connection: RawConnection, number: int) -> None:
        nonlocal count
        while time.perf_counter() - began < seconds:
            await once(connection, number)
            count += 1

    await asyncio.gather(*(repeat(connection, number) for number, connection in enumerate(connections)))
    return Figure("coordinator", what, count / (time.perf_counter() - began), "/s")


async def _round_trip(connection: RawConnection, number: int) -> None:
    """As a client and a worker that need not wait for each other."""
    text = "/api/v2/generate/text"
    request = (await connection.call("POST", f"{text}/async", REQUEST))["id"]
    job: Any = None
    while not job:  # another worker may have taken this one, and there is another for us
        job = (await connection.call("POST", f"{text}/pop", OFFER | {"name": f"bench {number}"}))["id"]
    await connection.call("POST", f"{text}/submit", {"id": job, "generation": "a short text"})
    await connection.call("GET", f"{text}/status/{request}")


@contextmanager
def _node(folder: Path) -> Iterator[tuple[str, float]]:
    """A node without an engine: (its address, seconds until it was ready)."""
    command = [sys.executable, "-m", "hordenode", "up", "--no-engine", "--port", "0", "--data-dir", str(folder)]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line.startswith(READY):
                raise RuntimeError(f"the node for the benchmark did not start: {line.strip()}")
            yield line.removeprefix(READY).strip(), time.perf_counter() - began
        finally:
            process.terminate()


def table(figures: list[Figure]) -> str:
    """The figures as lines for people."""
    width = max(len(figure.what) for figure in figures)
    lines, part = [], ""
    for figure in figures:
        if figure.part != part:
            part = figure.part
            lines.append(part)
        digits = 2 if figure.value < 10 else 0
        lines.append(f"  {figure.what.ljust(width)}  {figure.value:10.{digits}f} {figure.unit}")
    return "\n".join(lines)


def document(figures: list[Figure]) -> str:
    """The figures as JSON for programs."""
    return json.dumps(
        [{"part": f.part, "what": f.what, "value": round(f.value, 3), "unit": f.unit} for f in figures], indent=1
    )
