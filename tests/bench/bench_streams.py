"""Texts beside a busy coordinator: python -m tests.bench.bench_streams [--pairs 3] [--seconds 8]; prints JSON.

Eight texts are written all the time on the demo model while a client checks 200 times a second. `share` is tokens/s in
the node over those of the engine alone in a process of its own, the median of pairs that take turns; `check_p99_ms` is
the time of a check over a socket. Bars: share >= 0.8, check p99 <= 20 ms (ARCHITECTURE 3.15).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from tests.support.node_process import NodeProcess, node_process

STREAMS = 8
CHECKS = 200  # a second
LENGTH = 400  # tokens of a text at most
WARM_UP_S = 1.5
STEPS = re.compile(r'hordenode_engine_steps_total\{kind="text"\} (\S+)')
BODY: dict[str, Any] = {"prompt": "Once upon a time", "params": {"max_length": LENGTH, "use_default_badwordsids": True}}


def engine_alone(seconds: float) -> float:
    """Tokens a second that an engine writes with nothing beside it, set up as the command line does."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return float(pool.apply(_engine, (seconds,)))


def _engine(seconds: float) -> float:
    import uvloop

    from hordenode.cli.common import SWITCH_INTERVAL_S

    sys.setswitchinterval(SWITCH_INTERVAL_S)
    return float(uvloop.run(_generate(seconds)))


async def _generate(seconds: float) -> float:
    from hordenode.catalog import load_catalog
    from hordenode.config import EngineSettings
    from hordenode.engine.engine import Engine
    from hordenode.engine.jobs import Progress, TextJob

    tokens = 0

    def count(progress: Progress) -> None:
        nonlocal tokens
        tokens += 1

    with tempfile.TemporaryDirectory() as folder:
        catalog = load_catalog(Path(folder))
        engine = Engine(catalog, EngineSettings())
        await engine.start()
        model = next(iter(catalog.text))

        async def stream(number: int) -> None:
            for turn in range(10**6):
                job = TextJob(
                    f"{number} {turn}", model, BODY["prompt"], LENGTH, seed=turn, use_default_badwordsids=True
                )
                await engine.generate(job, count)

        tasks = [asyncio.create_task(stream(number)) for number in range(STREAMS)]
        await asyncio.sleep(WARM_UP_S)
        before, began = tokens, time.perf_counter()
        await asyncio.sleep(seconds)
        rate = (tokens - before) / (time.perf_counter() - began)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await engine.close()
    return rate


class Socket:
    """The lightest client there is, so that it takes little of what the node needs."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def get(self, path: str) -> bytes:
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head)[1])  # type: ignore[index]
        body = await self._reader.readexactly(length)
        assert head.startswith(b"HTTP/1.1 200"), head
        return body


async def in_node(node: NodeProcess, seconds: float) -> tuple[float, list[float]]:
    """(tokens a second, times of the checks in seconds)."""
    host, port = node.url.removeprefix("http://").split(":")
    socket = Socket(*await asyncio.open_connection(host, int(port)))
    async with httpx.AsyncClient(base_url=f"{node.url}/api/v2", headers={"apikey": node.owner_key}, timeout=60) as http:
        ids: list[str] = []

        async def stream() -> None:
            while True:
                request = (await http.post("/generate/text/async", json=BODY)).json()["id"]
                ids.append(request)
                while not (await http.get(f"/generate/text/status/{request}?wait=60")).json()["done"]:
                    pass

        tasks = [asyncio.create_task(stream()) for _ in range(STREAMS)]
        await asyncio.sleep(WARM_UP_S)
        before, began = await _tokens(http, node), time.perf_counter()
        times = await _checks(socket, ids, seconds)
        rate = (await _tokens(http, node) - before) / (time.perf_counter() - began)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for request in ids[-STREAMS:]:
            await http.delete(f"/generate/text/status/{request}")
    return rate, times


async def _checks(socket: Socket, ids: list[str], seconds: float) -> list[float]:
    times = []
    began = time.perf_counter()
    for number in range(round(seconds * CHECKS)):
        pause = began + number / CHECKS - time.perf_counter()
        if pause > 0:
            await asyncio.sleep(pause)
        asked = time.perf_counter()
        await socket.get(f"/api/v2/generate/text/status/{ids[-1 - number % STREAMS]}")
        times.append(time.perf_counter() - asked)
    return times


async def _tokens(http: httpx.AsyncClient, node: NodeProcess) -> float:
    found = STEPS.search((await http.get(f"{node.url}/metrics")).text)
    return float(found[1]) if found else 0.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    options = parser.parse_args()
    alone, beside, p99 = [], [], []
    with tempfile.TemporaryDirectory() as folder, node_process(Path(folder) / "data") as node:
        for _ in range(options.pairs):
            alone.append(engine_alone(options.seconds))
            rate, times = asyncio.run(in_node(node, options.seconds))
            beside.append(rate)
            p99.append(sorted(times)[int(len(times) * 0.99)] * 1000)
    print(
        json.dumps(
            {
                "tokens_per_s_alone": [round(rate) for rate in alone],
                "tokens_per_s_in_node": [round(rate) for rate in beside],
                "share": round(statistics.median(b / a for a, b in zip(alone, beside, strict=True)), 3),
                "check_p99_ms": round(statistics.median(p99), 2),
                "checks_per_s": CHECKS,
            }
        )
    )


if __name__ == "__main__":
    main()
