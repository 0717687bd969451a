"""A running node on real sockets: tokens reach the command line as they come, and a crowd that waits costs nothing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import msgspec
import psutil
import pytest

from hordenode.client.events import Event
from hordenode.client.http import HttpHorde
from hordenode.protocol.common import RequestAccepted
from hordenode.protocol.extension import TextExtension, TextMade
from hordenode.protocol.image import ImageParams, ImageRequest
from hordenode.protocol.text import TextParams, TextRequest
from tests.support.aio import run
from tests.support.node_process import NodeProcess, node_process

WAITING = 1000


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    with node_process(tmp_path_factory.mktemp("tokens") / "data") as started:
        yield started


def test_generate_text_prints_what_a_running_node_writes_as_it_comes(node: NodeProcess) -> None:
    command = [sys.executable, "-m", "hordenode", "generate", "text", "Once upon a time", "--max-length", "400"]
    process = subprocess.Popen([*command, "--data-dir", str(node.data_dir)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    pieces = []
    while piece := process.stdout.read1(65536):  # type: ignore[attr-defined]
        pieces.append(piece)
    assert process.wait(60) == 0
    process.stdout.close()
    assert len(pieces) > 3, "it came as a whole"
    users = httpx.get(f"{node.url}/api/v2/find_user", headers={"apikey": node.owner_key}).json()
    assert users["records"]["request"]["text"] == 1
    assert len(b"".join(pieces).split()) > 20


@pytest.mark.parametrize("running", [True, False])
def test_a_question_is_answered(node: NodeProcess, tmp_path: Path, running: bool) -> None:
    """By the chat template of the demo model, through a node that runs or one for this text alone."""
    command = [sys.executable, "-m", "hordenode", "generate", "text", "What is kudos?", "--temperature", "0"]
    where = ["--data-dir", str(node.data_dir if running else tmp_path / "data")]
    answer, raw = (
        subprocess.run([*command, *more, *where], capture_output=True, text=True, check=True, timeout=120).stdout
        for more in ((), ("--raw",))
    )
    assert "kudos" in answer.lower() and answer[0].isupper(), answer
    assert raw != answer


def test_the_pieces_are_the_text(node: NodeProcess) -> None:
    async def main() -> None:
        horde = HttpHorde(node.url, node.owner_key)
        try:
            events = horde.events("")  # the key's own: so that the stream is there before the request
            assert (await anext(events)).name == "snapshot"
            accepted = await horde.request_text(
                TextRequest(
                    prompt="The little boat", params=TextParams(max_length=120, hordenode=TextExtension(logprobs=2))
                )
            )
            assert isinstance(accepted, RequestAccepted)
            seen = await _until_done(events, accepted.id)
            pieces = [event.data.get("text", "") for event in seen if event.name == "job_progress"]
            assert len(pieces) > 10
            made = (await horde.text_status(accepted.id)).generations[0]
            assert "".join(pieces) == made.text
            told = [each for event in seen for each in event.data.get("logprobs", ())]
            assert isinstance(made.hordenode, TextMade)
            assert told == msgspec.json.decode(msgspec.json.encode(made.hordenode.logprobs)) and len(told) > 10
            assert all(len(each["top"]) == 2 and each["text"] for each in told)
        finally:
            await horde.aclose()

    run(main())


def test_a_picture_shows_itself_before_it_is_done(node: NodeProcess) -> None:
    async def main() -> None:
        horde = HttpHorde(node.url, node.owner_key)
        try:
            events = horde.events("")
            await anext(events)
            accepted = await horde.request_image(
                ImageRequest(prompt="a boat", params=ImageParams(width=128, height=128, steps=20))
            )
            assert isinstance(accepted, RequestAccepted)
            seen = await _until_done(events, accepted.id)
            steps = [event.data for event in seen if event.name == "job_progress"]
            assert [data for data in steps if "preview" in data], "no preview"
            assert steps[-1]["step"] == steps[-1]["steps"] == 20
        finally:
            await horde.aclose()

    run(main())


async def _until_done(events: AsyncIterator[Event], request_id: str) -> list[Event]:
    """What happens to a request until nothing more will."""
    seen = []
    async for event in events:
        seen.append(event)
        if event.name == "request_done" and event.data["id"] == request_id:
            break
    return seen


def test_a_thousand_waiting_connections_cost_nothing(tmp_path: Path) -> None:
    async def main(node: NodeProcess) -> None:
        process = psutil.Process(node.process.pid)
        body = {"prompt": "x", "models": ["nobody's"], "params": {"max_length": 80}}
        async with httpx.AsyncClient(base_url=f"{node.url}/api/v2", headers={"apikey": node.owner_key}) as http:
            request = (await http.post("/generate/text/async", json=body)).json()["id"]
            path = f"/api/v2/generate/text/status/{request}"
            crowd = [await _waiting(node, f"{path}?wait=100") for _ in range(WAITING)]
            await http.get(f"/generate/text/status/{request}")  # by now all of them wait
            before, began = process.cpu_times(), time.perf_counter()
            answers = [(await http.get("/status/heartbeat")).status_code for _ in range(50)]
            spent = process.cpu_times()
            busy = (spent.user + spent.system) - (before.user + before.system)
            assert answers == [200] * 50
            assert busy < 0.5 and time.perf_counter() - began < 2.0, "waiting is not free"
            await http.delete(f"/generate/text/status/{request}")
            heads = await asyncio.gather(*(reader.readline() for reader, _ in crowd))
            assert all(head.startswith(b"HTTP/1.1 200") for head in heads)
            for _, writer in crowd:
                writer.close()

    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    with node_process(tmp_path / "data", "--no-engine") as started:
        run(main(started))


async def _waiting(node: NodeProcess, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that has asked and gets no answer yet."""
    host, port = node.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    await writer.drain()
    return reader, writer
