"""Rate limits, overload, and connections that are too many or too slow."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hordenode.api.limits import RateLimits, TooManyRequests
from hordenode.api.route import ApiSettings
from hordenode.config import LimitSettings
from hordenode.ops.logs import JsonFormatter
from hordenode.ops.networks import Networks
from hordenode.server import HttpServer
from tests.contract.schema import validate
from tests.support.aio import run
from tests.support.horde import ANONYMOUS, BASE, TEXT_REQUEST, Horde, open_horde


def limited(**limits: Any) -> ApiSettings:
    return ApiSettings(node_name="test:7001:0", limits=LimitSettings(**limits))


def from_address(horde: Horde, address: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=horde.app, client=(address, 5000)), base_url=BASE)


def test_an_address_that_asks_too_much_is_told_when_to_come_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path, api=limited(per_address=3)) as horde, from_address(horde, "10.1.1.1") as http:
            answers = [await http.get("/api/v2/status/heartbeat") for _ in range(5)]
            assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
            assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0", "0"]
            refused = answers[-1]
            validate("GET /status/heartbeat", 429, refused.json())
            assert list(refused.json()) == ["message"] and "3 a minute" in refused.json()["message"]
            assert 0 < int(refused.headers["retry-after"]) <= 60
            assert time.time() < int(refused.headers["x-ratelimit-reset"]) <= time.time() + 60
            assert refused.headers["x-ratelimit-limit"] == "3"
            assert refused.headers["access-control-allow-origin"] == "*"
            async with from_address(horde, "10.1.1.2") as other:
                assert (await other.get("/api/v2/status/heartbeat")).status_code == 200
            mine = [await horde.http.get("/api/v2/status/heartbeat") for _ in range(10)]
            assert all(answer.status_code == 200 and "x-ratelimit-limit" not in answer.headers for answer in mine)
            assert (await http.options("/api/v2/status/heartbeat")).status_code == 200, "preflights are not counted"
            assert (await http.get("/api/node/v1/events")).status_code == 429, "streams are counted too"

    run(main())


def test_a_key_has_a_limit_of_its_own_and_the_tighter_one_is_shown() -> None:
    times = iter([100.0] * 5 + [130.0])
    limits = RateLimits(LimitSettings(per_address=100, per_key=2), now=lambda: next(times))
    assert dict(limits.count("a", "key"))["X-RateLimit-Limit"] == "2"
    assert dict(limits.count("b", "key"))["X-RateLimit-Remaining"] == "0"
    with pytest.raises(TooManyRequests) as refused:
        limits.count("c", "key")
    assert refused.value.retry_after == 20
    assert dict(limits.count("c", None)) == {
        "X-RateLimit-Limit": "100",
        "X-RateLimit-Remaining": "98",
        "X-RateLimit-Reset": "120",
    }
    assert RateLimits(LimitSettings(per_address=0, per_key=0)).count("a", "key") == ()
    limits.count("c", "other")
    assert dict(limits.count("c", "key"))["X-RateLimit-Remaining"] == "1", "a new minute"


def test_networks_know_their_addresses() -> None:
    networks = Networks(("127.0.0.0/8", "fd00::/8", "10.0.0.5"))
    inside, outside = ["127.1.2.3", "fd00::1", "10.0.0.5", "::ffff:127.0.0.1"], ["10.0.0.6", "::1", "testclient", ""]
    for _ in range(2):
        assert all(address in networks for address in inside) and not any(one in networks for one in outside)


def test_too_much_at_once_is_refused_before_it_hurts(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path, api=limited(in_flight=5)) as horde:
            body = json.dumps(TEXT_REQUEST).encode()
            headers = {"apikey": ANONYMOUS, "Content-Type": "application/json"}

            async def post() -> httpx.Response:
                return await horde.http.post("/api/v2/generate/text/async", content=body, headers=headers)

            answers = await asyncio.gather(*(post() for _ in range(20)))
            counts = {status: [a.status_code for a in answers].count(status) for status in (202, 503)}
            assert counts == {202: 5, 503: 15}
            refused = next(answer for answer in answers if answer.status_code == 503)
            assert refused.headers["retry-after"] == "2" and list(refused.json()) == ["message"]
            assert (await post()).status_code == 202, "afterwards all is well"
            text = (await horde.http.get("/metrics")).text
            assert 'hordenode_http_refused_total{reason="overload"} 15' in text

    run(main())


def test_a_long_line_before_the_disk_refuses_new_requests_but_not_results(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path, backlog=3) as horde:
            key = await horde.worker_key()
            blocked = [asyncio.ensure_future(horde.co.db.write(lambda tx: None)) for _ in range(5)]
            post, pop = await asyncio.gather(
                horde.call("POST", "/generate/text/async", TEXT_REQUEST, key=ANONYMOUS),
                horde.call("GET", "/find_user", key=key),
            )
            assert (post.status_code, post.headers["retry-after"]) == (503, "2")
            validate("POST /generate/text/async", 503, post.json())
            assert pop.status_code == 200
            await asyncio.gather(*blocked)
            assert (await horde.call("POST", "/generate/text/async", TEXT_REQUEST, key=ANONYMOUS)).status_code == 202

    run(main())


@asynccontextmanager
async def served(horde: Horde, **limits: Any) -> AsyncIterator[tuple[HttpServer, int]]:
    """The horde on a real socket."""
    server = HttpServer(horde.app, "127.0.0.1", 0, LimitSettings(**limits))
    port = int((await server.start()).rpartition(":")[2])
    try:
        yield server, port
    finally:
        await server.stop()


async def opened(port: int, data: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    await writer.drain()
    return reader, writer


HEAD = b"POST /api/v2/generate/text/async HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
WHOLE = b"GET /api/v2/status/heartbeat HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "data",
    [b"", b"GET /api/v2/sta", HEAD, HEAD + b"Content-Length: 100\r\n\r\n", HEAD + b'Content-Length: 100\r\n\r\n{"pro'],
    ids=["nothing", "half a line", "half a head", "no body", "half a body"],
)
def test_whoever_stops_in_the_middle_is_cut_off(tmp_path: Path, data: bytes) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde, served(horde, head_seconds=0.1, stall_seconds=0.1) as (_, port):
            reader, writer = await opened(port, data)
            assert await _rest(reader) == b""
            writer.close()
            reader, writer = await opened(port, WHOLE)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            writer.close()

    run(main())


async def _rest(reader: asyncio.StreamReader) -> bytes:
    """What still comes; nothing where the connection is reset."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


def test_a_second_request_on_a_connection_is_watched_too_and_waiting_is_not_cut(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde, served(horde, head_seconds=0.1, stall_seconds=0.1) as (_, port):
            request = (await horde.ok("POST", "/generate/text/async", TEXT_REQUEST, key=ANONYMOUS))["id"]
            wait = f"GET /api/v2/generate/text/status/{request}?wait=0.5 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            reader, writer = await opened(port, wait)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200"), "five times longer than a stall"
            writer.write(WHOLE[:20])
            await writer.drain()
            assert (await _rest(reader)).count(b"HTTP/1.1") == 0
            writer.close()

    run(main())


def test_a_slow_but_steady_body_is_taken(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde, served(horde, stall_seconds=0.1) as (_, port):
            body = json.dumps(TEXT_REQUEST | {"prompt": "x" * 4000}).encode()
            head = HEAD + b"apikey: 0000000000\r\nContent-Length: %d\r\n\r\n" % len(body)
            reader, writer = await opened(port, head)
            for start in range(0, len(body), 400):
                writer.write(body[start : start + 400])
                await writer.drain()
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(reader.readline() if start + 400 < len(body) else asyncio.sleep(9), 0.03)
            assert (await reader.readline()).startswith(b"HTTP/1.1 202")
            writer.close()

    run(main())


def test_who_takes_nothing_of_a_large_answer_is_cut_off(tmp_path: Path) -> None:
    async def large(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1000):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def main() -> None:
        server = HttpServer(large, "127.0.0.1", 0, LimitSettings(stall_seconds=0.2))
        port = int((await server.start()).rpartition(":")[2])
        reader, writer = await opened(port, WHOLE)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        while server.connections:
            await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(_next_turn())), 5)
        writer.close()
        await server.stop()

    run(main())


async def _next_turn() -> None:
    await asyncio.to_thread(lambda: None)


def test_connections_are_limited_in_all_and_from_one_address(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            for limits in ({"connections": 3}, {"connections_each": 3, "exempt": ()}):
                async with served(horde, **limits) as (server, port):
                    crowd = [await opened(port, WHOLE) for _ in range(3)]
                    for reader, _ in crowd:
                        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
                    reader, extra = await opened(port)
                    answer = await reader.read()
                    assert answer.startswith(b"HTTP/1.1 503") and b"Retry-After: 5" in answer
                    assert json.loads(answer.partition(b"\r\n\r\n")[2])["message"]
                    extra.close()
                    crowd[0][1].close()
                    while server.connections > 2:
                        await _next_turn()
                    again, writer = await opened(port, WHOLE)
                    assert (await again.readline()).startswith(b"HTTP/1.1 200")
                    for one in (writer, *(w for _, w in crowd)):
                        one.close()

    run(main())


def test_answers_and_log_lines_carry_the_requests_id(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        settings = ApiSettings(node_name="test:7001:0", access_log=True)
        async with open_horde(tmp_path, api=settings) as horde:
            with caplog.at_level(logging.INFO, "hordenode.access"):
                first = await horde.call("GET", "/status/heartbeat?secret=query", headers={"X-Request-ID": "mine-1"})
                second = await horde.call("GET", "/status/heartbeat", headers={"X-Request-ID": "not\tusable"})
            assert first.headers["x-request-id"] == "mine-1"
            assert second.headers["x-request-id"] not in ("", "not\tusable")
            line = json.loads(JsonFormatter().format(caplog.records[0]))
            assert (line["request"], line["path"], line["status"]) == ("mine-1", "/api/v2/status/heartbeat", 200)
            assert "secret" not in caplog.text and line["ms"] >= 0

    run(main())


def test_a_flood_of_requests_on_one_connection_leaves_nothing_behind(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde, served(horde) as (server, port):
            gc.collect()
            for _ in range(5):
                reader, writer = await opened(port, WHOLE * 500)
                assert not (await _rest(reader)).count(b"never"), "it is cut off"
                writer.close()
            while server.connections:
                await _next_turn()
            await _next_turn()
            kept = [one for one in gc.get_objects() if type(one).__name__ == "RequestResponseCycle"]
            assert len(kept) < 20, "no collection is needed to get rid of them"

    gc.disable()
    try:
        run(main())
    finally:
        gc.enable()
