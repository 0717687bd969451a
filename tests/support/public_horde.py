"""A strict public horde: answers workers as worker_protocol.md says, and notes every breach of it.

It is written from the contract alone and shares no code with the product. It runs as a Starlette application.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.contract.schema import problems_of

KEY = "a" * 22
AGENT = re.compile(r"hordenode:\d[^:]*:https?://\S+")
REFERENCE_MODELS = {"Deliberate", "Anything Diffusion", "org/Model-7B"}
SIGNATURE = "X-Amz-Signature=a%2Fb%2Bc&X-Amz-Expires=1800"
PAYLOAD_TEXT = {"min_p": 0, "smoothing_factor": 0, "dynatemp_range": 0, "dynatemp_exponent": 1.0}
WORKER_KINDS = {"generate": ("ImagePopInput", "ImageSubmitInput"), "generate/text": ("TextPopInput", "TextSubmitInput")}


@dataclass(slots=True)
class Given:
    """A job that a worker holds."""

    kind: str
    id: str
    uploaded: bytes = b""
    submitted: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class PublicHorde:
    """`waiting`: answers to the pops to come; `refusals`: errors that come first, as (status, body, headers)."""

    waiting: dict[str, deque[dict[str, Any]]] = field(
        default_factory=lambda: {"generate": deque(), "generate/text": deque()}
    )
    refusals: deque[tuple[int, dict[str, Any], dict[str, str]]] = field(default_factory=deque)
    upload_statuses: deque[int] = field(default_factory=deque)
    given: dict[str, Given] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    breaches: list[str] = field(default_factory=list)
    pops: int = 0
    url: str = "http://horde.test"  # by which its links begin
    storage: bool = True  # whether it has any
    amounts: list[int] = field(default_factory=list)  # that pops asked for
    open: asyncio.Event = field(default_factory=asyncio.Event)  # pops are answered when it is set

    def __post_init__(self) -> None:
        self.open.set()

    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def app(self) -> Starlette:
        routes = [Route(f"/api/v2/{kind}/pop", self._pop, methods=["POST"], name=kind) for kind in WORKER_KINDS]
        routes += [Route(f"/api/v2/{kind}/submit", self._submit, methods=["POST"], name=kind) for kind in WORKER_KINDS]
        routes += [Route("/storage/{job}.webp", self._upload, methods=["PUT"]), Route("/source.webp", self._source)]
        return Starlette(routes=routes)

    def image_job(self, *, ids: int = 1, **payload: Any) -> list[str]:
        """Queue a job of so many pictures; its ids."""
        made = [str(uuid.uuid4()) for _ in range(ids)]
        links = [f"{self.url}/storage/{each}.webp?{SIGNATURE}" for each in made]
        full = {
            "prompt": "a house ### fog",
            "ddim_steps": 2,
            "n_iter": ids,
            "seed": "4294967295",
            "width": 64,
            "height": 64,
        }
        full |= {"cfg_scale": 5.0, "sampler_name": "k_euler_a", "karras": True, "use_nsfw_censor": False} | payload
        job: dict[str, Any] = {
            "id": made[0],
            "ids": made,
            "payload": full,
            "model": "Deliberate",
            "skipped": {},
            "messages": [],
        }
        job |= {"ttl": 150, "source_processing": "img2img"}
        job |= {"r2_upload": links[0], "r2_uploads": links} if self.storage else {"r2_upload": None, "r2_uploads": None}
        self.waiting["generate"].append(job)
        return made

    def text_job(self, *, ids: int = 1, **payload: Any) -> list[str]:
        made = [str(uuid.uuid4()) for _ in range(ids)]
        full = {"prompt": "Once", "n": 1, "max_length": 16, "max_context_length": 2048} | PAYLOAD_TEXT | payload
        job = {"id": made[0], "ids": made, "payload": full, "model": "org/Model-7B", "softprompt": None, "skipped": {}}
        self.waiting["generate/text"].append(job | {"ttl": 150, "messages": []})
        return made

    async def all_submitted(self, ids: list[str]) -> list[dict[str, Any]]:
        async with self.news:
            await self.news.wait_for(lambda: all(each in self.given and self.given[each].submitted for each in ids))
        return [self.given[each].submitted for each in ids]

    async def popped(self, times: int) -> None:
        async with self.news:
            await self.news.wait_for(lambda: self.pops >= times)

    async def _pop(self, request: Request) -> Response:
        kind, body = await self._checked(request, "pop")
        self.pops += 1
        async with self.news:
            self.news.notify_all()
        await self.open.wait()
        if self.refusals:
            status, answer, headers = self.refusals.popleft()
            return JSONResponse(answer, status, headers)
        self._check_offer(kind, body)
        if not self.waiting[kind]:
            return JSONResponse({"payload": {}, "id": None, "ids": [], "skipped": {}, "messages": []})
        job = self.waiting[kind].popleft()
        self.given |= {each: Given(kind, each) for each in job["ids"]}
        return JSONResponse(job)

    def _check_offer(self, kind: str, body: dict[str, Any]) -> None:
        agent, name = body.get("bridge_agent", ""), body["name"]
        self.amounts.append(body.get("amount", 1))
        self._expect(bool(AGENT.fullmatch(agent)), f"agent {agent!r} is not the honest name:version:url")
        self._expect(self.names.setdefault(name, kind) == kind, f"{name} serves two kinds")
        self._expect(bool(set(body["models"]) & REFERENCE_MODELS), f"{body['models']} are no reference models")
        self._expect(
            not body.get("allow_lora") and not body.get("allow_controlnet"), "offers what the engine cannot do"
        )

    async def _submit(self, request: Request) -> Response:
        kind, body = await self._checked(request, "submit")
        given = self.given.get(body["id"])
        if given is None or given.kind != kind:
            self.breaches.append(f"submit of unknown {body['id']}")
            return JSONResponse({"message": "Processing Job does not exist", "rc": "InvalidJobID"}, 404)
        if given.submitted:
            return JSONResponse({"message": "already submitted", "rc": "DuplicateGen"}, 400)
        if kind == "generate" and body["state"] != "faulted":
            if not self.storage:
                given.uploaded = base64.b64decode(body["generation"], validate=True)
            elif body["generation"] != "R2":
                self.breaches.append("a picture was not handed in by upload")
            self._expect(given.uploaded[:4] == b"RIFF" and given.uploaded[8:12] == b"WEBP", "no WebP before the submit")
        async with self.news:
            given.submitted = body
            self.news.notify_all()
        return JSONResponse({"reward": 0.0 if body["state"] == "faulted" else 10.5})

    async def _upload(self, request: Request) -> Response:
        self._expect(request.url.query == SIGNATURE, f"the query was changed to {request.url.query}")
        for header in ("apikey", "content-type"):
            self._expect(header not in request.headers, f"an upload carries {header}")
        data = await request.body()
        if self.upload_statuses:
            return Response(status_code=self.upload_statuses.popleft())
        self.given[request.path_params["job"]].uploaded = data
        return Response()

    async def _source(self, request: Request) -> Response:
        self._expect("apikey" not in request.headers, "a download carries the key")
        return Response(status_code=404)

    async def _checked(self, request: Request, verb: str) -> tuple[str, dict[str, Any]]:
        """What every call of a worker must have."""
        kind = request.url.path.removeprefix("/api/v2/").removesuffix(f"/{verb}")
        body = json.loads(await request.body())
        self._expect(request.headers.get("apikey") == KEY, "no key, or another one")
        self._expect(request.headers.get("content-type") == "application/json", "the body is not called JSON")
        schema = WORKER_KINDS[kind][0 if verb == "pop" else 1]
        self.breaches += [f"{schema}: {problem}" for problem in problems_of(schema, body)]
        return kind, body

    def _expect(self, kept: bool, breach: str) -> None:
        if not kept:
            self.breaches.append(breach)
