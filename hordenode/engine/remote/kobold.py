"""KoboldCpp, and the KoboldAI API that it grew from (KoboldCpp API documentation: api/v1, api/extra).

The payload of a horde's text job has the shape of this API, so that nearly all of it has a word here.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Collection
from contextlib import aclosing, suppress
from typing import Any

import msgspec

from hordenode.engine.jobs import EngineAway, EngineError, ModelInfo, Progress, TextJob, TextResult
from hordenode.engine.remote.connection import Connection, RemoteError
from hordenode.engine.remote.dialect import Tell
from hordenode.engine.remote.wanted import translated
from hordenode.engine.text.formatting import tidy

log = logging.getLogger("hordenode.engine")

USUAL_CONTEXT = 2048
ABORT_S = 5.0
LONGEST_S = 600.0  # for a text that comes in one piece
WORDS = {
    **{name: name for name in ("temperature", "top_k", "top_p", "top_a", "min_p", "tfs", "typical", "sampler_order")},
    **{name: name for name in ("rep_pen", "rep_pen_range", "rep_pen_slope", "presence_penalty", "smoothing_factor")},
    **{name: name for name in ("dynatemp_range", "dynatemp_exponent", "mirostat_tau", "mirostat_eta")},
    **{name: name for name in ("xtc_probability", "xtc_threshold", "dry_multiplier", "dry_base", "dry_allowed_length")},
    "dry_range": "dry_penalty_last_n",
    "dry_breakers": "dry_sequence_breakers",
    "use_default_badwordsids": "use_default_badwordsids",
}


class Kobold:
    """A program at `url`, given without /api. ignored: settings that it may go without."""

    name = "KoboldCpp"

    def __init__(self, connection: Connection, ignored: Collection[str] = (), context: int = 0) -> None:
        self._connection = connection
        self._ignored = ignored
        self._context = context
        self._streams = True

    async def models(self) -> list[ModelInfo]:
        name = str((await self._connection.get("api/v1/model"))["result"])
        if name in ("", "inactive", "ReadOnly"):
            raise EngineError(f"{self._connection.name} has no text model loaded.")
        return [ModelInfo("text", name, context=self._context or await self._told_context())]

    async def write(self, job: TextJob, tell: Tell) -> TextResult:
        body = self._body(job)
        try:
            if self._streams:
                try:
                    return await self._streamed(job, body, tell)
                except RemoteError as error:
                    if error.status not in (404, 405):
                        raise
                    self._streams = False  # a KoboldAI, which has none
            return await self._at_once(job, body, tell)
        except asyncio.CancelledError:
            await self._abort(str(body["genkey"]))
            raise

    async def aclose(self) -> None:
        await self._connection.aclose()

    async def _told_context(self) -> int:
        for path in ("api/extra/true_max_context_length", "api/v1/config/max_context_length"):
            with suppress(RemoteError):
                return int((await self._connection.get(path))["value"])
        return USUAL_CONTEXT

    def _body(self, job: TextJob) -> dict[str, Any]:
        body = translated(job, WORDS, self.name, self._ignored, ("logit_bias",))
        if "mirostat_tau" in body:
            body["mirostat"] = 2
        if job.logit_bias:
            body["logit_bias"] = {str(token): change for token, change in job.logit_bias}
        return {
            **body,
            "prompt": job.prompt,
            "max_length": job.max_length,
            "max_context_length": job.max_context_length,
            "sampler_seed": max(1, job.seed % 2**31),
            "stop_sequence": [*job.stop_sequences, *(["\n"] if job.singleline else [])],
            "trim_stop": True,
            "quiet": True,
            "genkey": f"HDN{uuid.uuid4().hex[:12]}",
        }

    async def _streamed(self, job: TextJob, body: dict[str, Any], tell: Tell) -> TextResult:
        text, pieces, reason = "", 0, "stop"
        async with aclosing(self._connection.events("api/extra/generate/stream", body)) as events:
            async for data in events:
                event = _decoded(data)
                piece = str(event.get("token") or "")
                if piece:
                    text, pieces = text + piece, pieces + 1
                    tell(Progress(job.id, min(pieces, job.max_length), job.max_length, piece))
                reason = event.get("finish_reason") or reason
        for stop in body["stop_sequence"]:  # which a stream may show
            text = text.removesuffix(stop)
        return _result(job, text, pieces, reason)

    async def _at_once(self, job: TextJob, body: dict[str, Any], tell: Tell) -> TextResult:
        try:
            async with asyncio.timeout(LONGEST_S):
                answer = await self._connection.post("api/v1/generate", body, patient=True)
        except TimeoutError as error:
            raise EngineAway(f"{self._connection.name} has not answered for {LONGEST_S:.0f} s.") from error
        found = answer["results"][0]
        text = str(found["text"])
        tell(Progress(job.id, job.max_length, job.max_length, text))
        return _result(job, text, int(found.get("completion_tokens") or 0), str(found.get("finish_reason") or "stop"))

    async def _abort(self, genkey: str) -> None:
        """KoboldCpp goes on after a lost connection, and nothing else can run meanwhile."""
        try:
            async with asyncio.timeout(ABORT_S):
                await self._connection.post("api/extra/abort", {"genkey": genkey})
        except (EngineError, TimeoutError) as error:
            log.debug("an abort did not arrive: %s", error)


def _result(job: TextJob, text: str, tokens: int, reason: str) -> TextResult:
    return TextResult(job.id, tidy(text, job), 0, tokens, "length" if reason == "length" else "stop", job.seed)


def _decoded(data: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise RemoteError(f"KoboldCpp's stream holds no JSON: {data:.80}") from error
    if not isinstance(found, dict):
        raise RemoteError(f"KoboldCpp's stream holds no object: {data:.80}")
    return found
