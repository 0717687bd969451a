"""Small servers of the dialects that programs with engines speak, strict about what their API has; each in a thread."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

WORDS = [" the", " lamp", " sings", " and", " waits"]
OPENAI_FIELDS = {"model", "prompt", "messages", "max_tokens", "seed", "stream", "stream_options", "stop", "temperature"}
OPENAI_FIELDS |= {"top_p", "presence_penalty", "frequency_penalty", "logit_bias", "response_format"}
VLLM_FIELDS = {"top_k", "min_p", "repetition_penalty", "ignore_eos", "truncate_prompt_tokens", "guided_regex"}
LLAMACPP_FIELDS = {"top_k", "min_p", "typical_p", "repeat_penalty", "repeat_last_n", "mirostat", "mirostat_tau"}
LLAMACPP_FIELDS |= {"mirostat_eta", "ignore_eos", "xtc_probability", "xtc_threshold", "dry_multiplier", "dry_base"}
LLAMACPP_FIELDS |= {"dry_allowed_length", "dry_penalty_last_n", "dry_sequence_breakers", "dynatemp_range"}
LLAMACPP_FIELDS |= {"dynatemp_exponent"}
KOBOLD_FIELDS = {"prompt", "max_length", "max_context_length", "sampler_seed", "stop_sequence", "trim_stop", "quiet"}
KOBOLD_FIELDS |= {"genkey", "temperature", "top_k", "top_p", "top_a", "min_p", "tfs", "typical", "sampler_order"}
KOBOLD_FIELDS |= {"rep_pen", "rep_pen_range", "rep_pen_slope", "presence_penalty", "smoothing_factor", "logit_bias"}
KOBOLD_FIELDS |= {"dynatemp_range", "dynatemp_exponent", "mirostat", "mirostat_tau", "mirostat_eta"}
KOBOLD_FIELDS |= {"xtc_probability", "xtc_threshold", "dry_multiplier", "dry_base", "dry_allowed_length"}
KOBOLD_FIELDS |= {"dry_penalty_last_n", "dry_sequence_breakers", "use_default_badwordsids"}


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """The URL of an application while the block runs; it has an event loop of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@dataclass(slots=True)
class Program:
    """What they share. bodies: what was posted; refusals: (status, body) that come before anything else.

    gate: pieces beyond the first are sent when it is set; begun and gone tell that a job began, and that its caller hung
    up or stopped it.
    """

    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    refusals: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)
    gone: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def until_open(self) -> None:
        """In short waits, so that no thread is left behind when the caller has gone."""
        while not self.gate.is_set():
            await asyncio.to_thread(self.gate.wait, 0.05)

    async def posted(self, request: Request, known: set[str]) -> Response | dict[str, Any]:
        """The body, or an answer that refuses it."""
        body: dict[str, Any] = json.loads(await request.body())
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        if self.refusals:
            status, answer = self.refusals.pop(0)
            return JSONResponse(answer, status)
        if unknown := sorted(body.keys() - known):
            return JSONResponse({"error": {"message": f"Unrecognized request arguments: {unknown}"}}, 400)
        return body

    async def words(self, most: int) -> AsyncIterator[str]:
        """Pieces of a text, with a wait before the second if the gate is shut."""
        try:
            for number in range(most):
                yield WORDS[number % len(WORDS)]
                self.begun.set()
                await self.until_open()
        except (asyncio.CancelledError, GeneratorExit):
            self.gone.set()
            raise


@dataclass(slots=True)
class FakeOpenAI(Program):
    """flavour: who owns the models; chat_only: there are no plain completions; broken: streams end with an error.

    short: streams end without saying that the text does.
    """

    flavour: str = "somebody"
    chat_only: bool = False
    broken: bool = False
    short: bool = False

    @property
    def app(self) -> Starlette:
        routes = [Route("/v1/models", self._models), Route("/v1/chat/completions", self._chat, methods=["POST"])]
        if not self.chat_only:
            routes.append(Route("/v1/completions", self._complete, methods=["POST"]))
        return Starlette(routes=routes)

    async def _models(self, request: Request) -> Response:
        self.headers.append(dict(request.headers))
        if self.refusals:
            status, answer = self.refusals.pop(0)
            return JSONResponse(answer, status)
        model = {"id": "org/model", "object": "model", "owned_by": self.flavour}
        if self.flavour == "vllm":
            model["max_model_len"] = 4096  # type: ignore[assignment]
        return JSONResponse({"object": "list", "data": [model, {"id": "small", "object": "model"}]})

    async def _complete(self, request: Request) -> Response:
        return await self._answer(request, lambda piece: {"text": piece})

    async def _chat(self, request: Request) -> Response:
        return await self._answer(request, lambda piece: {"delta": {"content": piece}})

    async def _answer(self, request: Request, choice: Any) -> Response:
        more = {"vllm": VLLM_FIELDS, "llamacpp": LLAMACPP_FIELDS}.get(self.flavour, set())
        body = await self.posted(request, OPENAI_FIELDS | more)
        if isinstance(body, Response):
            return body

        async def stream() -> AsyncIterator[str]:
            async for piece in self.words(min(body["max_tokens"], len(WORDS))):
                yield f"data: {json.dumps({'choices': [{'index': 0, 'finish_reason': None, **choice(piece)}]})}\n\n"
                if self.broken:
                    yield 'data: {"error": {"message": "out of memory"}}\n\n'
                    return
            if self.short:
                return
            reason = "length" if body["max_tokens"] <= len(WORDS) else "stop"
            yield f"data: {json.dumps({'choices': [{'index': 0, 'finish_reason': reason, **choice('')}]})}\n\n"
            usage = {"prompt_tokens": 7, "completion_tokens": min(body["max_tokens"], len(WORDS))}
            yield f"data: {json.dumps({'choices': [], 'usage': usage})}\n\ndata: [DONE]\n\n"

        return StreamingResponse(stream(), media_type="text/event-stream")


@dataclass(slots=True)
class FakeKobold(Program):
    """old: a KoboldAI, without api/extra. aborted: genkeys."""

    old: bool = False
    model: str = "koboldcpp/tiny"
    aborted: list[str] = field(default_factory=list)

    @property
    def app(self) -> Starlette:
        routes = [
            Route("/api/v1/model", self._model),
            Route("/api/v1/config/max_context_length", self._context),
            Route("/api/v1/generate", self._generate, methods=["POST"]),
        ]
        if not self.old:
            routes += [
                Route("/api/extra/true_max_context_length", self._context),
                Route("/api/extra/generate/stream", self._stream, methods=["POST"]),
                Route("/api/extra/abort", self._abort, methods=["POST"]),
            ]
        return Starlette(routes=routes)

    async def _model(self, request: Request) -> Response:
        return JSONResponse({"result": self.model})

    async def _context(self, request: Request) -> Response:
        return JSONResponse({"value": 1024 if self.old else 8192})

    async def _generate(self, request: Request) -> Response:
        body = await self.posted(request, KOBOLD_FIELDS)
        if isinstance(body, Response):
            return body
        return JSONResponse({"results": [{"text": "".join(WORDS), "finish_reason": "stop", "completion_tokens": 5}]})

    async def _stream(self, request: Request) -> Response:
        body = await self.posted(request, KOBOLD_FIELDS)
        if isinstance(body, Response):
            return body

        async def stream() -> AsyncIterator[str]:
            async for piece in self.words(len(WORDS)):
                yield f"event: message\ndata: {json.dumps({'token': piece, 'finish_reason': None})}\n\n"
            stop = (body["stop_sequence"] or [""])[0]
            yield f"event: message\ndata: {json.dumps({'token': stop, 'finish_reason': 'stop'})}\n\n"

        return StreamingResponse(stream(), media_type="text/event-stream")

    async def _abort(self, request: Request) -> Response:
        self.aborted.append(json.loads(await request.body())["genkey"])
        self.gone.set()
        return JSONResponse({"success": True})


A1111_FIELDS = {"prompt", "negative_prompt", "steps", "cfg_scale", "width", "height", "tiling", "sampler_name", "seed"}
A1111_FIELDS |= {"batch_size", "override_settings", "override_settings_restore_afterwards", "send_images"}
A1111_FIELDS |= {"save_images", "do_not_save_grid", "denoising_strength", "scheduler"}
TXT2IMG_FIELDS = A1111_FIELDS | {"enable_hr", "hr_upscaler", "hr_resize_x", "hr_resize_y"}
IMG2IMG_FIELDS = A1111_FIELDS | {
    *("init_images", "mask", "inpainting_mask_invert", "inpainting_fill", "inpaint_full_res"),
}


@dataclass(slots=True)
class FakeA1111(Program):
    """old: from before schedules had names of their own."""

    old: bool = False

    @property
    def app(self) -> Starlette:
        routes = [
            Route("/sdapi/v1/sd-models", self._models),
            Route("/sdapi/v1/samplers", self._samplers),
            Route("/sdapi/v1/progress", self._progress),
            Route("/sdapi/v1/interrupt", self._interrupt, methods=["POST"]),
            Route("/sdapi/v1/txt2img", self._txt2img, methods=["POST"]),
            Route("/sdapi/v1/img2img", self._img2img, methods=["POST"]),
        ]
        if not self.old:
            routes.append(Route("/sdapi/v1/schedulers", self._schedulers))
        return Starlette(routes=routes)

    async def _models(self, request: Request) -> Response:
        self.headers.append(dict(request.headers))
        return JSONResponse([{"title": "deliberate_v2.safetensors [9aba26abdf]", "model_name": "deliberate_v2"}])

    async def _samplers(self, request: Request) -> Response:
        names = ["Euler a", "Euler", "DPM++ 2M", *(["DPM++ 2M Karras"] if self.old else [])]
        return JSONResponse([{"name": name, "aliases": [], "options": {}} for name in names])

    async def _schedulers(self, request: Request) -> Response:
        return JSONResponse([{"name": "automatic", "label": "Automatic"}, {"name": "karras", "label": "Karras"}])

    async def _progress(self, request: Request) -> Response:
        preview = None if request.query_params["skip_current_image"] == "true" else png("blue", 16)
        return JSONResponse(
            {"progress": 0.5, "state": {"sampling_step": 3, "sampling_steps": 6}, "current_image": preview}
        )

    async def _interrupt(self, request: Request) -> Response:
        self.gone.set()
        self.gate.set()
        return JSONResponse({})

    async def _txt2img(self, request: Request) -> Response:
        return await self._draw(await self.posted(request, TXT2IMG_FIELDS))

    async def _img2img(self, request: Request) -> Response:
        return await self._draw(await self.posted(request, IMG2IMG_FIELDS))

    async def _draw(self, body: Response | dict[str, Any]) -> Response:
        if isinstance(body, Response):
            return body
        self.begun.set()
        await self.until_open()
        size = body.get("hr_resize_x") or body["width"], body.get("hr_resize_y") or body["height"]
        images = [png("red", *size) for _ in range(body["batch_size"])]
        seeds = [body["seed"] + n for n in range(body["batch_size"])]
        return JSONResponse({"images": images, "parameters": {}, "info": json.dumps({"all_seeds": seeds})})


def png(color: str, width: int, height: int | None = None) -> str:
    """A picture of one colour, as base64."""
    out = io.BytesIO()
    Image.new("RGB", (width, height or width), color).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()
