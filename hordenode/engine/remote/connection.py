"""HTTP to the program that does the work: timeouts, retries, and its errors as EngineError. The key is never told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec

from hordenode.engine.jobs import EngineAway, EngineError

CONNECT_S = 5.0
TRIES = 4
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
LATER = {429, 502, 503, 504}  # busy, or still starting
LONGEST_TOLD = 300  # characters of an answer that are told
LONGEST_ANSWER = 256 * 2**20  # bytes: a batch of pictures as base64


class RemoteError(EngineError):
    """The program refused a call, or answered with something else. status: of a refusal; 0 without one."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status

    def __reduce__(self) -> tuple[type[RemoteError], tuple[str, int]]:
        return RemoteError, (str(self), self.status)


class Connection:
    """One program at `url`. Use it on one event loop.

    key: a bearer token, or with `basic` a `user:password`. timeout: seconds without a sign of life. pause: waits some.
    """

    def __init__(
        self,
        url: str,
        key: str = "",
        *,
        timeout: float,
        basic: bool = False,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise EngineError(f"engine.url: {url!r} is not an address such as http://127.0.0.1:5001") from error
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise EngineError(f"engine.url: {url!r} is not an address such as http://127.0.0.1:5001")
        self.name = parsed.netloc.decode()
        self.timeout = timeout
        self._key = key
        self._pause = pause
        user, _, password = key.partition(":")
        self._http = httpx.AsyncClient(
            base_url=url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {key}"} if key and not basic else {},
            auth=(user, password) if key and basic else None,
            limits=httpx.Limits(max_connections=None),
        )

    async def get(self, path: str) -> Any:
        """The JSON of an answer. Raises RemoteError, EngineAway."""
        async with self._answer("GET", path, None) as answer:
            return self._decode(await self._read(answer))

    async def post(self, path: str, body: object, *, patient: bool = False) -> Any:
        """The JSON of an answer, however late that begins if `patient`. Raises RemoteError, EngineAway."""
        async with self._answer("POST", path, body, patient=patient) as answer:
            return self._decode(await self._read(answer))

    async def events(self, path: str, body: object) -> AsyncGenerator[str, None]:
        """The data of each server-sent event of the answer. Raises RemoteError; EngineAway also when it breaks off."""
        async with self._answer("POST", path, body) as answer:
            try:
                async for line in answer.aiter_lines():
                    if line.startswith("data:"):
                        yield line.removeprefix("data:").strip()
            except httpx.HTTPError as error:
                raise self._unreachable(error) from error

    async def aclose(self) -> None:
        await self._http.aclose()

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, body: object, *, patient: bool = False
    ) -> AsyncIterator[httpx.Response]:
        """A good answer. Only what surely was not begun is tried again."""
        pause = FIRST_PAUSE_S
        for tries in range(1, TRIES + 1):
            try:
                answer = await self._send(method, path, body, patient)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if tries == TRIES:
                    raise self._unreachable(error) from error
            except httpx.HTTPError as error:
                raise self._unreachable(error) from error
            else:
                try:
                    if answer.status_code < 400:
                        yield answer
                        return
                    refusal = await self._refusal(answer)
                finally:
                    await answer.aclose()
                if answer.status_code not in LATER or tries == TRIES:
                    raise refusal
                pause = max(pause, _retry_after(answer))
            await self._pause(min(pause, LONGEST_PAUSE_S))
            pause *= 2

    async def _send(self, method: str, path: str, body: object, patient: bool) -> httpx.Response:
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if content is None else {"Content-Type": "application/json"}
        timeout = httpx.Timeout(None if patient else self.timeout, connect=CONNECT_S)
        request = self._http.build_request(method, path, content=content, headers=headers, timeout=timeout)
        return await self._http.send(request, stream=True)

    async def _read(self, answer: httpx.Response) -> bytes:
        pieces, size = [], 0
        try:
            async for piece in answer.aiter_bytes():
                pieces.append(piece)
                size += len(piece)
                if size > LONGEST_ANSWER:
                    raise RemoteError(f"{self.name} answers with more than {LONGEST_ANSWER // 2**20} MB.")
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        return b"".join(pieces)

    def _decode(self, content: bytes) -> Any:
        try:
            return msgspec.json.decode(content)
        except msgspec.DecodeError as error:
            raise RemoteError(
                f"{self.name} does not answer with JSON: is it the program that was configured?"
            ) from error

    async def _refusal(self, answer: httpx.Response) -> RemoteError:
        if answer.status_code in (401, 403):
            return RemoteError(f"{self.name} does not accept the key: see engine.key.", answer.status_code)
        told = _message(await self._read(answer))
        if self._key:
            told = told.replace(self._key, "…")
        text = f"{self.name} refused with status {answer.status_code}: {told or answer.reason_phrase}"
        return RemoteError(text, answer.status_code)

    def _unreachable(self, error: httpx.HTTPError) -> EngineAway:
        return EngineAway(
            f"The engine's program at {self.name} cannot be reached: {str(error) or type(error).__name__}"
        )


def _retry_after(answer: httpx.Response) -> float:
    value = answer.headers.get("retry-after", "")
    return float(value) if value.isdecimal() else 0.0


def _message(content: bytes) -> str:
    """What a program says is wrong, in whichever member it says so."""
    try:
        found = msgspec.json.decode(content)
    except msgspec.DecodeError:
        found = content.decode("utf-8", "replace")
    while isinstance(found, dict):
        found = next((found[name] for name in ("error", "detail", "message", "msg", "errors") if found.get(name)), "")
    return str(found).strip()[:LONGEST_TOLD]
