"""Pictures that are made to hurt, at a node on a real socket: refused with the contract's rc, quickly and in little
memory, while others are served as before."""

from __future__ import annotations

import asyncio
import base64
import io
import struct
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from hordenode.client.http import HttpHorde
from hordenode.protocol.errors import PlainError
from tests.contract.schema import validate
from tests.support.aio import run
from tests.support.node_process import NodeProcess, node_process
from tests.support.web import web_server

ANONYMOUS = {"apikey": "0000000000"}
LIMIT_S, LIMIT_MB = 2.0, 100.0
MB = 2**20
REQUESTS: dict[str, dict[str, Any]] = {
    "/generate/async": {"prompt": "a tree", "params": {"width": 64, "height": 64}},
    "/interrogate/async": {"forms": [{"name": "palette"}]},
}
OPERATIONS = pytest.mark.parametrize("operation", REQUESTS)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node for which 127.0.0.1 is the internet, and every other address of this machine as private as ever."""
    folder = tmp_path_factory.mktemp("sources")
    config = folder / "node.toml"
    config.write_text('[outgoing]\nprivate_networks = ["127.0.0.1"]\n')
    with node_process(folder / "data", "--no-engine", "--config", str(config)) as started:
        yield started


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb() -> bytes:
    """A PNG of 30,000 x 30,000 pixels in 40 KB."""
    side = 30_000
    rows = zlib.compressobj(9)
    data = b"".join(rows.compress(bytes(side // 8 + 1)) for _ in range(side)) + rows.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data[:40_000]) + chunk(b"IEND", b"")
    assert len(png) < 41_000
    return png


def animation() -> bytes:
    """A WebP of 2,000 frames."""
    out = io.BytesIO()
    Image.new("RGB", (256, 256), "red").save(out, "WEBP", lossless=True)
    still = out.getvalue()[12:]
    size = (255).to_bytes(3, "little") * 2
    frame = b"\0" * 6 + size + b"\x0a\0\0\0" + still
    frames = (b"ANMF" + struct.pack("<I", len(frame)) + frame) * 2000
    body = (
        b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + size + b"ANIM" + struct.pack("<I", 6) + bytes(6) + frames
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def truncated() -> bytes:
    """The first half of a JPEG of a camera's size."""
    out = io.BytesIO()
    Image.effect_noise((3000, 3000), 50).save(out, "JPEG", quality=40)
    return out.getvalue()[: len(out.getvalue()) // 2]


def good() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "green").save(out, "PNG")
    return out.getvalue()


class Attack:
    """Watches a node while something is done to it: time, memory, and how others fare."""

    def __init__(self, node: NodeProcess, http: httpx.AsyncClient) -> None:
        self._node, self._http = node, http
        self.slowest_other = 0.0
        self.others = 0

    async def refused(self, call: Callable[[], Awaitable[httpx.Response]]) -> tuple[int, dict[str, Any]]:
        """Status and body of a call that must be refused within the limits."""
        before = self._start_peak()
        others = asyncio.create_task(self._others())
        begun = time.monotonic()
        answer = await call()
        took = time.monotonic() - begun
        self._stop = True
        await others
        grown = (self._memory("VmHWM") - before) / MB
        assert took <= LIMIT_S, f"{took:.2f} s"
        assert grown <= LIMIT_MB, f"{grown:.0f} MB"
        assert self.others > 0 and self.slowest_other <= LIMIT_S
        return answer.status_code, answer.json()

    async def _others(self) -> None:
        self._stop = False
        while True:
            begun = time.monotonic()
            answer = await self._http.get(f"{self._node.url}/api/v2/status/performance")
            assert answer.status_code == 200
            self.slowest_other = max(self.slowest_other, time.monotonic() - begun)
            self.others += 1
            if self._stop:
                return

    def _start_peak(self) -> int:
        """Bytes in use now; from here on VmHWM is the peak (proc(5), clear_refs)."""
        Path(f"/proc/{self._node.process.pid}/clear_refs").write_text("5")
        return self._memory("VmRSS")

    def _memory(self, field: str) -> int:
        for line in Path(f"/proc/{self._node.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {field}")


@asynccontextmanager
async def attacking(node: NodeProcess) -> AsyncIterator[tuple[Attack, httpx.AsyncClient]]:
    async with httpx.AsyncClient(timeout=30) as http, httpx.AsyncClient(timeout=30) as other:
        yield Attack(node, other), http


async def refused(node: NodeProcess, operation: str, source: str) -> dict[str, Any]:
    """The body of a refused request with this source, which must fit the contract."""
    async with attacking(node) as (attack, http):
        body = REQUESTS[operation] | {"source_image": source}
        status, answer = await attack.refused(
            lambda: http.post(f"{node.url}/api/v2{operation}", json=body, headers=ANONYMOUS)
        )
        validate(f"POST {operation}", status, answer)
        return answer


PICTURES = {
    "a PNG of 30,000 x 30,000 pixels": (bomb, "SourceImageResolutionExceeded"),
    "an animated WebP of 2,000 frames": (animation, "ImageValidationFailed"),
    "a truncated JPEG": (truncated, "ImageValidationFailed"),
}


@OPERATIONS
@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("by_url", [False, True], ids=["base64", "URL"])
def test_a_picture_that_hurts_is_refused(node: NodeProcess, operation: str, name: str, by_url: bool) -> None:
    make, rc = PICTURES[name]

    async def main() -> None:
        data = make()
        async with web_server() as web:
            web.answers = [(200, {"Content-Type": "image/png"}, data)]
            source = f"http://127.0.0.1:{web.port}/a.png" if by_url else base64.b64encode(data).decode()
            assert (await refused(node, operation, source))["rc"] == rc

    run(main())


@OPERATIONS
@pytest.mark.parametrize("private", ["127.0.0.2", "[::1]", "169.254.169.254", "10.0.0.1", "0.0.0.0"])
def test_a_public_url_that_redirects_to_a_private_address_is_refused(
    node: NodeProcess, operation: str, private: str
) -> None:
    async def main() -> None:
        async with web_server() as public, web_server(host="127.0.0.2") as inside:
            inside.answers = [(200, {}, good())]
            target = f"http://{private}:{inside.port}/picture.png"
            public.answers = [(302, {"Location": target}, b"")]
            answer = await refused(node, operation, f"http://127.0.0.1:{public.port}/picture.png")
            assert answer["rc"] == "SourceImageUnreadable" and private not in answer["message"]
            assert len(public.heard) == 1 and inside.heard == []

    run(main())


@OPERATIONS
def test_a_picture_by_a_public_url_is_fetched_once_and_kept(node: NodeProcess, operation: str) -> None:
    async def main() -> None:
        async with web_server() as web, httpx.AsyncClient() as http:
            web.answers = [(301, {"Location": "/other.png"}, b""), (200, {}, good())]
            body = REQUESTS[operation] | {"source_image": f"http://127.0.0.1:{web.port}/picture.png"}
            accepted = await http.post(f"{node.url}/api/v2{operation}", json=body, headers=ANONYMOUS)
            assert accepted.status_code == 202, accepted.text
            assert [heard.path for heard in web.heard] == ["/picture.png", "/other.png"]
            assert "apikey" not in web.heard[1].headers

    run(main())


@OPERATIONS
@pytest.mark.parametrize("told", [True, False], ids=["length told", "length not told"])
def test_a_url_with_200_mb_behind_it_is_refused(node: NodeProcess, operation: str, told: bool) -> None:
    piece = b"\0" * MB

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            length = f"Content-Length: {200 * MB}\r\n" if told else ""
            writer.write(f"HTTP/1.1 200 OK\r\nConnection: close\r\n{length}\r\n".encode())
            for _ in range(200):
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            pass  # the node has seen enough
        finally:
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            answer = await refused(node, operation, f"http://127.0.0.1:{port}/large.png")
            assert answer["rc"] == "SourceImageSizeExceeded"

    run(main())


@OPERATIONS
@pytest.mark.parametrize("told", [True, False], ids=["length told", "length not told"])
def test_a_body_of_200_mb_is_refused(node: NodeProcess, operation: str, told: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"prompt": "x", "source_image": "'
        for _ in range(200):
            yield b"A" * MB
        yield b'"}'

    async def main() -> None:
        headers = ANONYMOUS | {"Content-Type": "application/json"}
        if told:
            headers["Content-Length"] = str(200 * MB + 35)
        async with attacking(node) as (attack, http):
            status, answer = await attack.refused(
                lambda: http.post(f"{node.url}/api/v2{operation}", content=pieces(), headers=headers)
            )
            assert status == 413 and "larger than" in answer["message"]

    run(main())


@OPERATIONS
@pytest.mark.parametrize(
    ("answer", "rc"),
    [
        ((200, {}, b"<html>no picture</html>"), "SourceImageUrlInvalid"),
        ((200, {}, b""), "SourceImageUrlInvalid"),
        ((404, {}, good()), "SourceImageUnreadable"),
        ((302, {"Location": "/again"}, b""), "SourceImageUnreadable"),
        ((302, {"Location": "file:///etc/passwd"}, b""), "SourceImageUnreadable"),
        ((200, {"Content-Encoding": "gzip"}, zlib.compress(good())), "SourceImageUrlInvalid"),
    ],
    ids=["html", "nothing", "not found", "a circle", "a file", "compressed"],
)
def test_a_url_without_a_picture_is_refused(
    node: NodeProcess, operation: str, answer: tuple[int, dict[str, str], bytes], rc: str
) -> None:
    async def main() -> None:
        async with web_server() as web:
            web.answers = [answer]
            assert (await refused(node, operation, f"http://127.0.0.1:{web.port}/a.png"))["rc"] == rc

    run(main())


@pytest.mark.parametrize("url", ["http://[", "http://", "http://127.0.0.2:1/", "https://127.0.0.1:1/"])
def test_a_url_that_leads_nowhere_is_refused(node: NodeProcess, url: str) -> None:
    async def main() -> None:
        assert (await refused(node, "/interrogate/async", url))["rc"] == "SourceImageUnreadable"

    run(main())


def test_a_server_that_never_answers_costs_two_seconds(node: NodeProcess) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the node hangs up
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        async with server, httpx.AsyncClient(timeout=30) as http:
            port = server.sockets[0].getsockname()[1]
            body = REQUESTS["/interrogate/async"] | {"source_image": f"http://127.0.0.1:{port}/a.png"}
            begun = time.monotonic()
            answer = await http.post(f"{node.url}/api/v2/interrogate/async", json=body, headers=ANONYMOUS)
            assert answer.json()["rc"] == "SourceImageUnreadable" and 1.5 < time.monotonic() - begun < 4

    run(main())


def test_nothing_is_fetched_for_a_request_that_is_refused_anyway(node: NodeProcess) -> None:
    async def main() -> None:
        async with web_server() as web, httpx.AsyncClient() as http:
            web.answers = [(200, {}, good())]
            source = {"source_image": f"http://127.0.0.1:{web.port}/a.png"}
            for path, change, headers, rc in (
                ("/generate/async", {}, {"apikey": "nobody"}, "InvalidAPIKey"),
                ("/interrogate/async", {}, {"apikey": "nobody"}, "InvalidAPIKey"),
                ("/generate/async", {"prompt": "x " * 8000}, ANONYMOUS, "InvalidPromptSize"),
            ):
                body = REQUESTS[path] | source | change
                answer = await http.post(f"{node.url}/api/v2{path}", json=body, headers=headers)
                assert answer.json()["rc"] == rc
            dry = REQUESTS["/generate/async"] | source | {"dry_run": True}
            answer = await http.post(f"{node.url}/api/v2/generate/async", json=dry, headers=ANONYMOUS)
            assert answer.status_code == 200 and answer.json()["kudos"] > 0
            assert web.heard == []

    run(main())


def test_a_worker_does_not_take_an_endless_file() -> None:
    """Links of a horde may lead to strangers (worker_protocol.md 5)."""

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            while True:
                writer.write(b"\0" * MB)
                await writer.drain()
        except ConnectionError:
            writer.close()

    async def main() -> None:
        async with await asyncio.start_server(endless, "127.0.0.1", 0) as server:
            horde = HttpHorde("http://127.0.0.1:1")
            with pytest.raises(PlainError, match="larger than 32 MB"):
                await horde.download(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/a.webp")
            await horde.aclose()

    run(main())
