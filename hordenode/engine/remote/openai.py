"""OpenAI-compatible text servers (OpenAI API reference: completions, chat completions, models; vLLM and llama.cpp docs).

A prompt goes to /v1/completions, and to /v1/chat/completions where there is nothing else; a conversation always goes
there. Servers differ in the samplers that they know beside OpenAI's own: `owned_by` of their models tells them apart.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import msgspec

from hordenode.engine.jobs import ModelInfo, Progress, TextJob, TextResult, UnsupportedJob
from hordenode.engine.remote.connection import Connection, RemoteError
from hordenode.engine.remote.dialect import Tell
from hordenode.engine.remote.wanted import translated
from hordenode.engine.text.formatting import tidy

USUAL_CONTEXT = 2048
COMMON = {
    name: name for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty")
}  # what every one of these servers knows
MORE = {
    "vllm": {
        "top_k": "top_k",
        "min_p": "min_p",
        "rep_pen": "repetition_penalty",
        "use_default_badwordsids": "ignore_eos",
    },
    "llamacpp": {
        **{name: name for name in ("top_k", "min_p", "dynatemp_range", "dynatemp_exponent", "mirostat_tau")},
        **{name: name for name in ("mirostat_eta", "xtc_probability", "xtc_threshold", "dry_multiplier", "dry_base")},
        "dry_allowed_length": "dry_allowed_length",
        "dry_range": "dry_penalty_last_n",
        "dry_breakers": "dry_sequence_breakers",
        "typical": "typical_p",
        "rep_pen": "repeat_penalty",
        "rep_pen_range": "repeat_last_n",
        "use_default_badwordsids": "ignore_eos",
    },
}
ABSENT = {404, 405, 501}  # the statuses of an operation that a server does not have


@dataclass(slots=True)
class _Heard:
    """What a stream has said so far."""

    text: str = ""
    pieces: int = 0
    finish_reason: str = ""  # until it is told
    prompt_tokens: int = 0
    tokens: int = 0


class OpenAI:
    """A server at `url`, given with or without /v1. ignored: settings that it may go without; context: where it tells none."""

    name = "An OpenAI-compatible server"

    def __init__(self, connection: Connection, ignored: Collection[str] = (), context: int = 0) -> None:
        self._connection = connection
        self._ignored = ignored
        self._context = context
        self._flavours: dict[str, str] = {}
        self._chat_only = False

    async def models(self) -> list[ModelInfo]:
        listed = (await self._connection.get("models")).get("data") or []
        self._flavours = {model["id"]: str(model.get("owned_by") or "") for model in listed}
        return [ModelInfo("text", model["id"], context=self._context_of(model)) for model in listed]

    async def write(self, job: TextJob, tell: Tell) -> TextResult:
        body = self._body(job)
        heard = _Heard()
        if not job.messages and not self._chat_only:
            try:
                return await self._heard(job, "completions", body | {"prompt": job.prompt}, heard, tell)
            except RemoteError as error:
                if error.status not in ABSENT:
                    raise
                self._chat_only = True
        turns = [{"role": each.role, "content": each.content} for each in job.messages]
        turns = turns or [{"role": "user", "content": job.prompt}]
        return await self._heard(job, "chat/completions", body | {"messages": turns}, heard, tell)

    async def aclose(self) -> None:
        await self._connection.aclose()

    def _context_of(self, model: dict[str, Any]) -> int:
        told = model.get("max_model_len") or (model.get("meta") or {}).get("n_ctx_train")
        return int(self._context or told or USUAL_CONTEXT)

    def _body(self, job: TextJob) -> dict[str, Any]:
        flavour = self._flavours.get(job.model, "")
        words = COMMON | MORE.get(flavour, {})
        others = ("messages", "logit_bias", "constraint")
        body = translated(job, words, f"The server of {job.model}", self._ignored, others)
        if "mirostat_tau" in body:
            body["mirostat"] = 2
        if job.logit_bias:
            body["logit_bias"] = {str(token): change for token, change in job.logit_bias}
        if flavour == "vllm":  # others cut a long prompt by themselves, or say that it is too long
            body["truncate_prompt_tokens"] = max(1, job.max_context_length - job.max_length)
        stops = [*job.stop_sequences, *(["\n"] if job.singleline else [])]
        return {
            **body,
            **self._constraint(job, flavour),
            **({"stop": stops} if stops else {}),
            "model": job.model,
            "max_tokens": job.max_length,
            "seed": job.seed % 2**31,
            "stream": True,
            "stream_options": {"include_usage": True},
        }

    def _constraint(self, job: TextJob, flavour: str) -> dict[str, Any]:
        if job.constraint is None:
            return {}
        kind, definition = job.constraint.kind, job.constraint.definition
        if kind == "json_schema":
            schema = {"name": "answer", "schema": msgspec.json.decode(definition), "strict": True}
            return {"response_format": {"type": "json_schema", "json_schema": schema}}
        if kind == "regex" and flavour == "vllm":
            return {"guided_regex": definition}
        raise UnsupportedJob(f"The server of {job.model} follows no {kind}.")

    async def _heard(self, job: TextJob, path: str, body: dict[str, Any], heard: _Heard, tell: Tell) -> TextResult:
        async with aclosing(self._connection.events(path, body)) as events:
            async for chunk in _chunks(events):
                piece = _hear(heard, chunk)
                if piece:
                    heard.pieces += 1
                    tell(Progress(job.id, min(heard.pieces, job.max_length), job.max_length, piece))
        if not heard.finish_reason:
            raise RemoteError(f"The stream of {self._connection.name} ended before the text did.")
        text, tokens = tidy(heard.text, job), heard.tokens or heard.pieces
        return TextResult(job.id, text, heard.prompt_tokens, tokens, heard.finish_reason, job.seed)


async def _chunks(events: AsyncIterator[str]) -> AsyncIterator[dict[str, Any]]:
    """The objects of a stream. RemoteError for one that is an error, or none."""
    async for data in events:
        if data == "[DONE]":
            return
        try:
            chunk = msgspec.json.decode(data)
        except msgspec.DecodeError as error:
            raise RemoteError(f"The server's stream holds no JSON: {data:.80}") from error
        if not isinstance(chunk, dict) or chunk.get("error"):
            raise RemoteError(f"The server gave up: {data:.300}")
        yield chunk


def _hear(heard: _Heard, chunk: dict[str, Any]) -> str:
    """Take in a chunk; the text that it brings."""
    usage = chunk.get("usage") or {}
    heard.prompt_tokens = usage.get("prompt_tokens") or heard.prompt_tokens
    heard.tokens = usage.get("completion_tokens") or heard.tokens
    piece = ""
    for choice in chunk.get("choices") or []:
        piece += choice.get("text") or (choice.get("delta") or {}).get("content") or ""
        if choice.get("finish_reason"):
            heard.finish_reason = "length" if choice["finish_reason"] == "length" else "stop"
    heard.text += piece
    return piece
