"""Webhooks: after each stored result one POST to where the requester wants to hear of it (contract 23).

What is owed stands in the store, so it survives a restart; a call may come twice when the node dies between the answer
and its record. Targets are strangers' choice: the guard refuses private ones, redirects are not followed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from hordenode.client.guard import TargetRefused, TargetUnknown, guarded_client
from hordenode.coordinator.context import Caller, Coordinator
from hordenode.coordinator.results import alchemy_result, image_generations, text_generations
from hordenode.domain import kudos, signatures
from hordenode.domain.entities import Job, Kind, WaitingPrompt
from hordenode.domain.spec import Spec
from hordenode.protocol.errors import HordeError
from hordenode.protocol.webhooks import WebhookSecret
from hordenode.store import alchemy, jobs, requests, workers
from hordenode.store import webhooks as rows
from hordenode.store.tx import Tx
from hordenode.store.webhooks import Webhook
from hordenode.version import AGENT

log = logging.getLogger("hordenode.webhooks")

BELL = "webhooks"
TIMEOUT_S = 3.0  # for connecting, sending and answering each
CALL_S = 10.0  # for all of it
RETRY_S = (5, 30, 120, 480)  # the last try is made before the result expires
UNRECORDED_S = 60  # before a call is made again whose outcome could not be stored
AT_ONCE = 32
TRY_AGAIN = frozenset({408, 425, 429})


def owe(tx: Tx, spec: Spec, wp: WaitingPrompt, job: Job, now_ms: int) -> bool:
    """In the transaction that stores a result: whether its requester wants to hear of it; who cancelled does not."""
    if spec.webhook is None or wp.cancelled:
        return False
    rows.owe(tx, Webhook(job.id, wp.user_id, spec.webhook.url, spec.webhook.base_url, now_ms))
    return True


async def secret(co: Coordinator, caller: Caller) -> WebhookSecret:
    """GET /api/node/v1/webhooks: by what the caller recognises calls of this horde. Not for anonymous: all share it."""
    user = await co.db.read(lambda tx: co.authenticate(tx, caller))
    if user.anonymous:
        raise HordeError("AnonForbidden")
    return WebhookSecret(header=signatures.HEADER, secret=signatures.webhook_secret(co.secret, user.id))


class WebhookSender:
    """Calls what is owed, several at once; a slow target holds up nobody else's until `AT_ONCE` are slow."""

    def __init__(self, co: Coordinator) -> None:
        self._co = co
        self._client = guarded_client(co.guard, timeout=TIMEOUT_S)
        self._calls: dict[str, asyncio.Task[None]] = {}
        self._unrecorded: dict[str, int] = {}  # job -> when it may be called again

    async def run(self) -> None:
        """Until cancelled."""
        try:
            with self._co.doorbell.listen(BELL) as heard:
                while True:
                    heard.clear()
                    pause = await self._start_due()
                    try:
                        await asyncio.wait_for(heard.wait(), pause)
                    except TimeoutError:
                        continue
        finally:
            await self.aclose()

    async def deliver_due(self) -> int:
        """Make each call that is due now, once; returns how many were made."""
        await self._start_due()
        started = list(self._calls.values())
        await asyncio.gather(*started)
        return len(started)

    async def aclose(self) -> None:
        """Give up the calls under way; they are made again after the next start."""
        running = list(self._calls.values())
        for call in running:
            call.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._client.aclose()

    async def _start_due(self) -> float | None:
        """Start what is due and fits; returns the seconds until something else will be."""
        now = self._co.clock.now_ms()
        due, later = await self._co.db.read(lambda tx: (rows.due(tx, now, 2 * AT_ONCE), rows.next_due(tx, now)))
        self._unrecorded = {job_id: until for job_id, until in self._unrecorded.items() if until > now}
        for webhook in due:
            busy = webhook.job_id in self._calls or webhook.job_id in self._unrecorded
            if not busy and len(self._calls) < AT_ONCE:
                call = asyncio.create_task(self._call(webhook), name="webhook")
                self._calls[webhook.job_id] = call
                call.add_done_callback(partial(self._ended, webhook.job_id))
        next_ms = min([*self._unrecorded.values(), *([] if later is None else [later])], default=None)
        return None if next_ms is None else (next_ms - now) / 1000

    def _ended(self, job_id: str, _: asyncio.Task[None]) -> None:
        del self._calls[job_id]
        self._co.doorbell.ring(BELL)

    async def _call(self, webhook: Webhook) -> None:
        """One try, and what follows from it."""
        try:
            body = await _body(self._co, webhook)
            problem = None if body is None else await self._post(webhook, body)
        except Exception:
            log.exception("webhook of job %s failed", webhook.job_id)
            problem = Problem("this node failed", final=False)
        over = problem is None or problem.final or webhook.tries >= len(RETRY_S)
        try:
            await self._record(webhook, over=over)
        except Exception:  # a full disk must not make it call again and again
            log.exception("webhook of job %s: its outcome could not be stored", webhook.job_id)
            self._unrecorded[webhook.job_id] = self._co.clock.now_ms() + UNRECORDED_S * 1000
        if problem is not None:
            outcome = "given up" if over else "tried again later"
            log.warning(
                "webhook of job %s to %s: %s, %s", webhook.job_id, _host(webhook), problem.text.rstrip("."), outcome
            )

    async def _record(self, webhook: Webhook, *, over: bool) -> None:
        if over:
            await self._co.db.write(lambda tx: rows.settle(tx, webhook.job_id))
            return
        next_ms = self._co.clock.now_ms() + RETRY_S[webhook.tries] * 1000
        await self._co.db.write(lambda tx: rows.retry(tx, webhook.job_id, next_ms))

    async def _post(self, webhook: Webhook, body: bytes) -> Problem | None:
        headers = {"Content-Type": "application/json", "User-Agent": AGENT, "X-Hordenode-Job": webhook.job_id}
        if webhook.user_id:
            key = signatures.webhook_secret(self._co.secret, webhook.user_id)
            headers[signatures.HEADER] = signatures.sign(key, body, self._co.clock.now_ms())
        try:
            async with (
                asyncio.timeout(CALL_S),
                self._client.stream("POST", webhook.url, content=body, headers=headers) as answer,
            ):
                return _judge(answer.status_code)
        except (TargetRefused, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            return Problem(str(error), final=True)
        except (TargetUnknown, httpx.TransportError, TimeoutError) as error:
            return Problem(f"{type(error).__name__}: {error}".removesuffix(": "), final=False)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a call was not heard; `final` when trying again would not help."""

    text: str
    final: bool


def _judge(status: int) -> Problem | None:
    if 200 <= status < 300:
        return None
    return Problem(f"it answered {status}", final=status < 500 and status not in TRY_AGAIN)


def _host(webhook: Webhook) -> str:
    """Where it goes, without path and query: those may hold secrets."""
    try:
        return urlsplit(webhook.url).hostname or "nowhere"
    except ValueError:
        return "nowhere"


@dataclass(frozen=True, slots=True)
class Result:
    """A delivered job and what belongs to it. base_url: for links."""

    wp: WaitingPrompt
    job: Job
    worker_name: str
    base_url: str


async def _body(co: Coordinator, webhook: Webhook) -> bytes | None:
    """What the receiver gets; None when the result is gone meanwhile."""

    def read(tx: Tx) -> Result | None:
        job = jobs.find(tx, webhook.job_id)
        wp = requests.find_any(tx, job.request_id) if job is not None else None
        worker = workers.by_id(tx, job.worker_id) if job is not None else None
        if job is None or wp is None or worker is None:
            return None
        return Result(wp, job, worker.name, webhook.base_url)

    result = await co.db.read(read)
    if result is None:
        return None
    told = await BODIES[result.wp.kind](co, result)
    return msgspec.json.encode({"request": result.wp.id, **told, "kudos": kudos.kudos(result.job.reward)})


async def _image(co: Coordinator, result: Result) -> dict[str, Any]:
    """As in status, but the seed keeps its stored type."""
    (image,) = await image_generations(co, result.wp, [(result.job, result.worker_name)], result.base_url)
    made: dict[str, Any] = msgspec.to_builtins(image)
    made.pop("state")
    return {**made, "seed": result.job.seed}


async def _text(co: Coordinator, result: Result) -> dict[str, Any]:
    (text,) = text_generations([(result.job, result.worker_name)])
    return {**msgspec.to_builtins(text), "id": result.job.id}


async def _form(co: Coordinator, result: Result) -> dict[str, Any]:
    """A finished form: its request is the one that the client knows."""
    found = await co.db.read(lambda tx: alchemy.form(tx, result.wp.id))
    request_id, form = found or (result.wp.id, "")
    return {
        "form": form,
        "state": "done",
        "result": alchemy_result(co, result.job, result.base_url),
        "worker_id": result.job.worker_id,
        "worker_name": result.worker_name,
        "id": result.job.id,
        "request": request_id,
    }


BODIES: dict[Kind, Callable[[Coordinator, Result], Awaitable[dict[str, Any]]]] = {
    Kind.IMAGE: _image,
    Kind.TEXT: _text,
    Kind.ALCHEMY: _form,
}
