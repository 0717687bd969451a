"""What a node costs beside its bare engine: python -m tests.bench.text_node [--pairs 7] [--texts 2]; prints JSON.

A real node on a real socket with the 135M model; 8 clients, in a process of their own, each ask for one text after
another and follow the stream of events; event loops are those of the command line. In turns with that, 8 loops ask the same
engine for the same texts directly.
Bars: node / bare >= 0.93 in tokens per second; a streamed token arrives within 15 ms of the engine's having made it.
`--slow`: one more client follows and never reads; the others' figures should stay.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import multiprocessing
import re
import statistics
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec

from hordenode import Node, Settings
from hordenode.cli.common import run
from hordenode.config import DataSettings, EngineSettings, ServerSettings
from hordenode.engine.backends import Outcome
from hordenode.engine.jobs import Progress
from tests.bench.text_limits import Notes, job
from tests.bench.text_model import CONTEXT, make_model

CLIENTS, TOKENS, WORDS = 8, 64, 20
EVENTS = "/api/node/v1/events"
ANONYMOUS = "0000000000"
EVENT = re.compile(rb"event: (\w+)\nid: \d+\ndata: (.*)\n\n")
BATCHED = {"use_default_badwordsids": True}


class Told(msgspec.Struct):
    """What of a token's event matters here."""

    id: str
    step: int


Heard = dict[tuple[str, int], float]  # (job, step) -> when


def clients(pipe: Connection, url: str, slow: bool) -> None:
    """The other process: for each number that comes, so many texts per client; when each token was heard."""
    if slow:
        sluggard = httpx.Client(timeout=None).stream("GET", url + EVENTS)
        sluggard.__enter__()
    while (texts := pipe.recv()) is not None:
        pipe.send(run(_crowd(url, texts)))


async def _crowd(url: str, texts: int) -> tuple[float, Heard]:
    heard: Heard = {}
    limits = httpx.Limits(max_connections=100)
    async with httpx.AsyncClient(base_url=url, headers={"apikey": ANONYMOUS}, timeout=300, limits=limits) as http:
        started = time.monotonic()
        await asyncio.gather(*(_client(http, number, texts, heard) for number in range(CLIENTS)))
        return time.monotonic() - started, heard


async def _client(http: httpx.AsyncClient, number: int, texts: int, heard: Heard) -> None:
    for each in range(texts):
        params = {"max_length": TOKENS, "max_context_length": CONTEXT, "temperature": 0.7, **BATCHED}
        prompt = job(number * 10 + each, WORDS, TOKENS).prompt
        body = {"prompt": prompt, "models": ["bench"], "params": params}
        request = (await http.post("/api/v2/generate/text/async", json=body)).raise_for_status().json()["id"]
        await _follow(http, request, heard)
        status = (await http.get(f"/api/v2/generate/text/status/{request}")).json()
        assert status["done"] and status["generations"], status


async def _follow(http: httpx.AsyncClient, request: str, heard: Heard) -> None:
    """Until the request is done; a text that a snapshot found already done is not streamed."""
    url, loop = http.base_url, asyncio.get_running_loop()
    assert url.port is not None
    transport, ear = await loop.create_connection(
        lambda: Ear(url, request, heard, loop.create_future()), url.host, url.port
    )
    await ear.over
    transport.close()


class Ear(asyncio.Protocol):
    """Reads a stream by hand: httpx takes more of the processor for a token than the node does. An event is never split by
    the head of a chunk."""

    def __init__(self, url: httpx.URL, request: str, heard: Heard, over: asyncio.Future[None]) -> None:
        self._head = f"GET {EVENTS}?request={request} HTTP/1.1\r\nHost: {url.host}\r\nApikey: {ANONYMOUS}\r\n\r\n"
        self._heard = heard
        self._rest = b""
        self.over = over

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._head.encode())

    def data_received(self, data: bytes) -> None:
        self._rest += data
        end = 0
        for event in EVENT.finditer(self._rest):
            self._take(event[1], event[2])
            end = event.end()
        self._rest = self._rest[end:]

    def connection_lost(self, error: Exception | None) -> None:
        if not self.over.done():
            self.over.set_exception(error or EOFError(self._rest[:200]))

    def _take(self, name: bytes, data: bytes) -> None:
        if name == b"job_progress":
            told = msgspec.json.decode(data, type=Told)
            if told.step:
                self._heard[told.id, told.step] = time.monotonic()
        elif not self.over.done() and (name == b"request_done" or (name == b"snapshot" and _is_over(json.loads(data)))):
            self.over.set_result(None)


def _is_over(snapshot: dict[str, Any]) -> bool:
    return all(one["done"] for one in snapshot["requests"])


async def bare(engine: Any, texts: int) -> float:
    """Seconds of the same texts without a node around the engine."""

    async def loop(number: int) -> None:
        for each in range(texts):
            ask = job(number * 10 + each, WORDS, TOKENS, temperature=0.7, **BATCHED)
            await engine.generate(dataclasses.replace(ask, id=f"bare {number} {each}"), lambda progress: None)

    started = time.monotonic()
    await asyncio.gather(*(loop(number) for number in range(CLIENTS)))
    return time.monotonic() - started


def listen(engine: Any) -> Heard:
    """When the engine's thread made each token."""
    made: Heard = {}
    deliver = engine._deliver

    def noted(outcomes: list[Outcome]) -> None:
        now = time.monotonic()
        steps = (outcome for outcome in outcomes if isinstance(outcome, Progress) and outcome.step)
        made.update(((each.id, each.step), now) for each in steps)
        deliver(outcomes)

    engine._deliver = noted
    return made


async def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    settings = Settings(
        server=ServerSettings(port=0),
        data=DataSettings(dir=str(folder / "data")),
        engine=EngineSettings(threads=options.threads, providers=("cpu",)),
    )
    notes, ready = Notes(), asyncio.Event()
    delays: list[float] = []
    firsts: list[float] = []
    async with Node(settings) as node:
        serving = asyncio.create_task(node.serve(lambda url: ready.set()))
        await ready.wait()
        engine = node._engine
        made = listen(engine)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=clients, args=(theirs, node.url, options.slow), daemon=True)
        process.start()
        await bare(engine, 1)
        for _ in range(options.pairs):
            direct = await bare(engine, options.texts)
            made.clear()
            ours.send(options.texts)
            through, heard = await asyncio.to_thread(ours.recv)
            tokens = CLIENTS * options.texts * TOKENS
            notes.note("tokens/s of the bare engine", tokens / direct)
            notes.note("tokens/s through the node", tokens / through)
            notes.note("node / bare", direct / through)
            late = {key: at - made[key] for key, at in heard.items()}
            delays += late.values()
            firsts += [min((step, delay) for (one, step), delay in late.items() if one == name)[1] for name, _ in late]
        ours.send(None)
        process.join()
        node.stop()
        await serving
    spread = {name: _milliseconds(values) for name, values in (("any token", delays), ("first heard", firsts))}
    return {**notes.medians(), "ms from made to heard [median, p90, p99]": spread}


def _milliseconds(values: list[float]) -> list[float]:
    cuts = statistics.quantiles(values, n=100)
    return [round(1000 * cuts[at], 2) for at in (49, 89, 98)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--texts", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--slow", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_model(folder / "model")
        (folder / "data").mkdir()
        entry = f'[text."bench"]\npath = "{folder / "model"}"\ncontext = {CONTEXT}\nmax_batch = {CLIENTS}\n'
        (folder / "data" / "models.toml").write_text(entry, encoding="utf-8")
        print(json.dumps(run(measure(folder, options)), indent=1))


if __name__ == "__main__":
    main()
