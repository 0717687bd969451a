"""HttpHorde: any AI Horde v2 server over HTTP."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

import httpx
import msgspec

from hordenode.client.base import Unreachable
from hordenode.client.events import Event, read_events
from hordenode.client.faults import form_fault, image_fault, text_fault
from hordenode.client.guard import Guard
from hordenode.client.links import LinkGuard, links_client, reaching
from hordenode.client.strays import LEAST_TTL_S, Strays
from hordenode.protocol.alchemy import (
    AlchemyAccepted,
    AlchemyJob,
    AlchemyPop,
    AlchemyRequest,
    AlchemyStatus,
    AlchemySubmit,
)
from hordenode.protocol.common import (
    ANONYMOUS_KEY,
    DryRunAnswer,
    RequestAccepted,
    RequestCheck,
    SimpleAnswer,
    SubmitAnswer,
)
from hordenode.protocol.errors import HordeError, PlainError
from hordenode.protocol.events import JobReport
from hordenode.protocol.image import ImageJob, ImagePop, ImageRequest, ImageStatus, ImageSubmit
from hordenode.protocol.joining import Joined, NewJoin
from hordenode.protocol.status import ActiveModel
from hordenode.protocol.text import TextJob, TextPop, TextRequest, TextStatus, TextSubmit
from hordenode.protocol.users import UserDetails
from hordenode.protocol.workers import WorkerDetails
from hordenode.version import AGENT

T = TypeVar("T")
J = TypeVar("J", ImageJob, TextJob, AlchemyJob)

UPLOAD_TIMEOUT = httpx.Timeout(10.0)  # worker_protocol.md 3
READ_S, CONNECT_S = 30.0, 5.0
DOWNLOAD_S, MAX_DOWNLOAD = 60.0, 32 * 2**20  # of one file
TIMEOUT = httpx.Timeout(READ_S, connect=CONNECT_S)
SILENCE_S = 60.0  # without even a heartbeat
SAFE_TRIES = 3  # of calls that change nothing
RETRY_PAUSE_S = 0.5
POLL_S = 2.0
_JSON = {"Content-Type": "application/json"}


class HttpHorde:
    """One user of a horde at `url` (with or without /api). Raises HordeError, and Unreachable.

    transport: another way to reach it, such as httpx.ASGITransport. pause: waits some seconds. guard: where its links
    may lead, beside addresses like its own.
    """

    def __init__(
        self,
        url: str,
        key: str = ANONYMOUS_KEY,
        *,
        client_agent: str = AGENT,
        transport: httpx.AsyncBaseTransport | None = None,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
        guard: Guard | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=api_root(url),
            headers={"apikey": key, "Client-Agent": client_agent},
            timeout=TIMEOUT,
            transport=transport,
        )
        if transport is None:
            self._files = links_client(LinkGuard(api_root(url), guard or Guard()), TIMEOUT)
        else:
            self._files = httpx.AsyncClient(timeout=TIMEOUT, transport=transport)
        self._pause = pause
        self._strays = Strays(pause)

    async def request_image(self, request: ImageRequest) -> RequestAccepted | DryRunAnswer:
        return await self._request("generate/async", request, dry_run=request.dry_run)

    async def request_text(self, request: TextRequest) -> RequestAccepted | DryRunAnswer:
        return await self._request("generate/text/async", request, dry_run=request.dry_run)

    async def request_alchemy(self, request: AlchemyRequest) -> AlchemyAccepted:
        return await self._post("interrogate/async", request, AlchemyAccepted)

    async def check(self, request_id: str, wait: float = 0.0) -> RequestCheck:
        try:
            return await self._get(f"generate/check/{request_id}", RequestCheck, _waiting(wait))
        except HordeError as error:
            if error.rc != "RequestNotFound":
                raise
        return await self._get(f"generate/text/status/{request_id}", RequestCheck, _waiting(wait))

    async def image_status(self, request_id: str) -> ImageStatus:
        return await self._get(f"generate/status/{request_id}", ImageStatus)

    async def text_status(self, request_id: str) -> TextStatus:
        return await self._get(f"generate/text/status/{request_id}", TextStatus)

    async def alchemy_status(self, request_id: str) -> AlchemyStatus:
        return await self._get(f"interrogate/status/{request_id}", AlchemyStatus)

    async def cancel_image(self, request_id: str) -> ImageStatus:
        return await self._send("DELETE", f"generate/status/{request_id}", ImageStatus)

    async def cancel_text(self, request_id: str) -> TextStatus:
        return await self._send("DELETE", f"generate/text/status/{request_id}", TextStatus)

    async def cancel_alchemy(self, request_id: str) -> AlchemyStatus:
        return await self._send("DELETE", f"interrogate/status/{request_id}", AlchemyStatus)

    async def pop_image(self, offer: ImagePop, wait: float = 0.0) -> ImageJob:
        return await self._pop(
            "generate/pop", offer, ImageJob, wait, lambda job_id: self.submit_image(image_fault(job_id))
        )

    async def pop_text(self, offer: TextPop, wait: float = 0.0) -> TextJob:
        return await self._pop(
            "generate/text/pop", offer, TextJob, wait, lambda job_id: self.submit_text(text_fault(job_id))
        )

    async def pop_alchemy(self, offer: AlchemyPop, wait: float = 0.0) -> AlchemyJob:
        return await self._pop(
            "interrogate/pop", offer, AlchemyJob, wait, lambda job_id: self.submit_form(form_fault(job_id))
        )

    async def submit_image(self, result: ImageSubmit) -> SubmitAnswer:
        return await self._post("generate/submit", result, SubmitAnswer)

    async def submit_text(self, result: TextSubmit) -> SubmitAnswer:
        return await self._post("generate/text/submit", result, SubmitAnswer)

    async def submit_form(self, result: AlchemySubmit) -> SubmitAnswer:
        return await self._post("interrogate/submit", result, SubmitAnswer)

    async def find_user(self) -> UserDetails:
        return await self._get("find_user", UserDetails)

    async def models(self, kind: str) -> list[ActiveModel]:
        return await self._get("status/models", list[ActiveModel], {"type": kind})

    async def workers(self, kind: str) -> list[WorkerDetails]:
        return await self._get("workers", list[WorkerDetails], {"type": kind})

    async def upload(self, url: str, data: bytes) -> None:
        """PUT without key and content type, to the URL exactly as it was given (worker_protocol.md 3)."""
        with reaching(url):
            answer = await self._files.put(httpx.URL(url), content=data, timeout=UPLOAD_TIMEOUT)
        if answer.status_code != 200:
            raise _refused(answer, answer.content)

    async def download(self, url: str) -> bytes:
        with reaching(url):
            async with (
                asyncio.timeout(DOWNLOAD_S),
                self._files.stream("GET", httpx.URL(url), follow_redirects=True) as answer,
            ):
                body = await _limited(answer)
                if answer.status_code != 200:
                    raise _refused(answer, body)
                return body

    async def report(self, job_id: str, body: JobReport) -> None:
        """Tell a hordenode what a job of ours did; HordeError with status 404 and no rc where this horde is none."""
        await self._post(str(self._http.base_url.join(f"../node/v1/jobs/{job_id}/progress")), body, SimpleAnswer)

    async def join(self, wish: NewJoin) -> Joined:
        """Use up a code of a hordenode (`hordenode invite --worker`); else HordeError with status 404 and no rc."""
        return await self._post(str(self._http.base_url.join("../node/v1/workers")), wish, Joined)

    async def events(self, request_id: str) -> AsyncIterator[Event]:
        """What happens to a request from now on, where this horde is a hordenode; else HordeError with status 404."""
        timeout = httpx.Timeout(SILENCE_S, connect=CONNECT_S)
        url = self._http.base_url.join("../node/v1/events")
        async with self._http.stream("GET", url, params={"request": request_id}, timeout=timeout) as answer:
            if answer.status_code != 200:
                raise _refused(answer, await _limited(answer))
            async for event in read_events(answer.aiter_lines()):
                yield event

    async def aclose(self) -> None:
        """Hang up, once pops that were given up are answered, as far as that does not take long."""
        await self._strays.aclose()
        await self._http.aclose()
        await self._files.aclose()

    async def _request(self, path: str, body: msgspec.Struct, *, dry_run: bool) -> RequestAccepted | DryRunAnswer:
        if dry_run:
            return await self._post(path, body, DryRunAnswer)
        return await self._post(path, body, RequestAccepted)

    async def _pop(
        self,
        path: str,
        offer: ImagePop | TextPop | AlchemyPop,
        kind: type[J],
        wait: float,
        fault: Callable[[str], Awaitable[object]],
    ) -> J:
        """Pop; when nothing comes, ask again until `wait` is over. A horde that answers at once cannot wait."""
        loop = asyncio.get_running_loop()
        until = loop.time() + wait
        while True:
            asked, left = loop.time(), max(0.0, until - loop.time())
            job = await self._pop_once(path, offer, kind, left, fault)
            if job.id is not None or loop.time() + POLL_S > until:
                return job
            if loop.time() - asked < min(left, POLL_S):
                await self._pause(POLL_S)

    async def _pop_once(
        self, path: str, offer: msgspec.Struct, kind: type[J], wait: float, fault: Callable[[str], Awaitable[object]]
    ) -> J:
        """One call, whose answer is heard even if the caller's or our own patience ends before it comes."""
        name = uuid.uuid4().hex
        query = {**(_waiting(wait) or {}), "pop": name} if wait > 0 else None
        asking = asyncio.create_task(self._post(path, offer, kind, query, patience=LEAST_TTL_S))

        def give_up() -> None:
            end = (lambda: self._end_pop(name)) if query else None
            self._strays.adopt(asking, end, lambda job: job.ids, fault)

        try:
            done, _ = await asyncio.wait({asking}, timeout=READ_S + wait)
        except asyncio.CancelledError:
            give_up()
            raise
        if not done:
            give_up()
            raise Unreachable(f"{self._http.base_url.netloc.decode()} has not answered for {READ_S + wait:.0f} s")
        return asking.result()

    async def _end_pop(self, name: str) -> None:
        """Have a hordenode answer a waiting pop now."""
        await self._send("DELETE", str(self._http.base_url.join(f"../node/v1/pops/{name}")), SimpleAnswer)

    async def _get(self, path: str, kind: type[T], query: Mapping[str, str] | None = None) -> T:
        """A call that may be repeated: connection trouble is tried again."""
        for left in reversed(range(SAFE_TRIES)):
            try:
                return await self._send("GET", path, kind, query=query)
            except Unreachable:
                if left == 0:
                    raise
                await self._pause(RETRY_PAUSE_S)
        raise AssertionError("the last try returns or raises")

    async def _post(
        self,
        path: str,
        body: msgspec.Struct,
        kind: type[T],
        query: Mapping[str, str] | None = None,
        *,
        patience: float = READ_S,
    ) -> T:
        content = msgspec.json.encode(body)
        return await self._send("POST", path, kind, content=content, query=query, patience=patience)

    async def _send(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        content: bytes | None = None,
        query: Mapping[str, str] | None = None,
        patience: float = READ_S,
    ) -> T:
        headers = _JSON if content is not None else {}
        with reaching(str(self._http.base_url)):
            answer = await self._http.request(
                method, path, content=content, params=query, headers=headers, timeout=_timeout(query, patience)
            )
        if answer.status_code not in (200, 202):
            raise _refused(answer, answer.content)
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except msgspec.MsgspecError as error:
            raise PlainError(502, f"The answer of {answer.url.host} is not that of an AI Horde: {error}") from error


async def _limited(answer: httpx.Response) -> bytes:
    """The body, as long as it is not larger than any picture of a horde: links may lead to strangers."""
    pieces: list[bytes] = []
    size = 0
    async for piece in answer.aiter_bytes():
        pieces.append(piece)
        size += len(piece)
        if size > MAX_DOWNLOAD:
            raise PlainError(413, f"The file is larger than {MAX_DOWNLOAD // 2**20} MB.")
    return b"".join(pieces)


def api_root(url: str) -> str:
    """The address below which the v2 operations are, from whatever form an owner types."""
    base = url.rstrip("/")
    for ending in ("/api/v2", "/api"):
        base = base.removesuffix(ending)
    return f"{base}/api/v2/"


def _waiting(seconds: float) -> dict[str, str] | None:
    """The query of a long poll; a horde that does not know it answers at once."""
    return {"wait": f"{seconds:.1f}"} if seconds > 0 else None


def _timeout(query: Mapping[str, str] | None, patience: float) -> httpx.Timeout:
    """`patience` in seconds, after what the horde was asked to wait."""
    return httpx.Timeout(patience + float((query or {}).get("wait", 0)), connect=CONNECT_S)


def _refused(answer: httpx.Response, content: bytes) -> HordeError:
    """The error that an answer says."""
    try:
        body: Any = msgspec.json.decode(content)
    except msgspec.DecodeError:
        body = None
    return HordeError.from_wire(answer.status_code, body, _retry_after(answer.headers.get("retry-after", "")))


def _retry_after(value: str) -> int | None:
    """Seconds; a point in time (RFC 9110, 10.2.3) is not believed, since clocks differ."""
    return int(value) if value.isdecimal() else None
