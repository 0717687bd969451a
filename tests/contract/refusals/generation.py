"""Refusals of image and text requests and of their jobs (contract 3.1, 4, 8.1); those of pictures: pictures.py."""

from __future__ import annotations

from typing import Any

from hordenode.coordinator import janitor
from tests.contract.refusals.alchemy import maintenance
from tests.contract.refusals.case import REQUESTS, Case, Prepare
from tests.support.horde import ANONYMOUS, IMAGE_POP, IMAGE_REQUEST, TEXT_POP, TEXT_REQUEST
from tests.support.people import UNKNOWN, People

IMAGE, TEXT = REQUESTS
RATE = "POST /generate/rate/{id}"
PATHS = {IMAGE: "/generate", TEXT: "/generate/text"}
BEST = {"best": UNKNOWN}
SUSPICIOUS = IMAGE_REQUEST | {"prompt": "a cat and a dog", "replacement_filter": False}
SOFT = {"type": "censorship", "value": "csam"}


async def filters(people: People) -> None:
    for regex, kind in (("cat", 10), ("dog", 20)):
        await people.ok("moderator", "PUT", "/filters", {"regex": regex, "filter_type": kind})


async def flagged_meets_filters(people: People) -> None:
    """A flagged user's text is always cleaned; of this one nothing is left."""
    await people.ok("moderator", "PUT", "/filters", {"regex": "cat", "filter_type": 10, "replacement": ""})


async def time_out(people: People) -> None:
    await people.ok("moderator", "POST", "/operations/ipaddr", {"ipaddr": "127.0.0.1", "hours": 1})


async def styled_key(people: People) -> dict[str, str]:
    """A shared key that is bound to a style."""
    key = (await people.ok("trusted", "PUT", "/sharedkeys", {}))["id"]
    await people.ok("trusted", "PATCH", people.path("/styles/image/{style_id}"), {"sharedkey": key})
    return {"apikey": key}


async def own_special_model(people: People) -> dict[str, str]:
    return {"model": f"horde_special::special#{people.cast.ids['special']}"}


def waiting(path: str, request: dict[str, Any]) -> Prepare:
    async def prepare(people: People) -> None:
        many = request | {"params": request["params"] | {"n": 20}}
        await people.ok("registered", "POST", f"{path}/async", many)

    return prepare


def asked(path: str, request: dict[str, Any]) -> Prepare:
    async def prepare(people: People) -> dict[str, str]:
        return {"id": (await people.horde.ok("POST", f"{path}/async", request, key=ANONYMOUS))["id"]}

    return prepare


def job(path: str, state: str) -> Prepare:
    """A job of the registered user's worker: "running", "done" or "stale"."""
    request, pop = (TEXT_REQUEST, TEXT_POP) if "text" in path else (IMAGE_REQUEST, IMAGE_POP)

    async def prepare(people: People) -> dict[str, str]:
        made = await people.horde.ok("POST", f"{path}/async", request, key=ANONYMOUS)
        popped = await people.ok("registered", "POST", f"{path}/pop", pop)
        if state == "done":
            result = {"id": popped["id"], "generation": "R2", "seed": 1}
            await people.ok("registered", "POST", f"{path}/submit", result)
        if state == "stale":
            people.horde.clock.advance(popped["ttl"] + 1)
            await janitor.sweep_stale(people.horde.co)
        return {"job_id": popped["id"], "id": made["id"]}

    return prepare


def image(rc: str, params: dict[str, Any], *models: str, who: str = "registered", **changes: Any) -> Case:
    body = IMAGE_REQUEST | {"params": params, "models": list(models) or ["model one"]}
    return Case(IMAGE, rc, who, body | changes.pop("body", {}), **changes)


CASES = [
    image("BadCFGDecimals", {"cfg_scale": 7.123}),
    image("BadLoraVersion", {"loras": [{"name": "name", "is_version": True}]}),
    image("TooManyLoras", {"loras": [{"name": str(n)} for n in range(6)]}),
    image("TooManyTIs", {"tis": [{"name": str(n)} for n in range(21)]}),
    image("TooManyUpscalers", {"post_processing": ["RealESRGAN_x4plus", "NMKD_Siax"]}),
    image("UnexpectedModelName", {}, "GFPGAN"),
    image("HiResMismatch", {"hires_fix": True}, "new [Flux]"),
    image("ControlNetMismatch.", {"workflow": "qr_code"}, "new [Flux]"),
    image("MissingExtraTexts.", {"workflow": "qr_code"}),
    image("InvalidExtraTexts.", {"extra_texts": [{"text": "a link", "reference": "qr_code"}]}),
    image("InvalidTransparencyModel", {"transparent": True}, "new [Flux]"),
    image("InvalidPromptSize", {}, body={"prompt": "word " * 7501}),
    image("Forbidden", {}, "horde_special::registered#{user_id}"),
    image("SpecialMissingUsername", {}, "horde_special", who="special"),
    image("SpecialMissingPayload", {}, "{model}", who="special", prepare=own_special_model),
    image("BadRequest", {"special": {"a": 1}}),
    Case(IMAGE, "CorruptPrompt", "registered", SUSPICIOUS, prepare=filters),
    Case(IMAGE, "BannedClientAgent", "registered", IMAGE_REQUEST, headers={"Client-Agent": "My-Project:v0.0.1:My-Contact"}),
    Case(TEXT, "CorruptPrompt", "flagged", TEXT_REQUEST | {"prompt": "cat"}, prepare=flagged_meets_filters),
    Case(TEXT, "ExcessiveStopSequence", "registered", TEXT_REQUEST | {"params": {"stop_sequence": ["x" * 2001]}}),
    Case(TEXT, "TooManyStopSequences", "registered", TEXT_REQUEST | {"params": {"stop_sequence": [str(n) for n in range(129)]}}),
    Case(TEXT, "MissingFullSamplerOrder", "registered", TEXT_REQUEST | {"params": {"sampler_order": [6, 0, 1]}}),
    Case(TEXT, "TokenOverflow", "registered", TEXT_REQUEST | {"params": {"max_length": 512, "max_context_length": 80}}),
    Case(TEXT, "MissingPrompt", "registered", TEXT_REQUEST | {"prompt": ""}),
    Case("GET /generate/check/{id}", "Forbidden", "none", path={"id": UNKNOWN}, prepare=time_out),
    Case(RATE, "RequestNotFound", "none", BEST, path={"id": UNKNOWN}),
    Case(RATE, "AestheticsNotCompleted", "none", BEST, prepare=asked("/generate", IMAGE_REQUEST)),
    Case(RATE, "AestheticsNotPublic", "none", BEST, prepare=job("/generate", "done")),
]  # fmt: skip
for extra, rc in (
    (1, "InvalidExtraSourceImages."),
    (2, "MoreThanMinExtraSourceImage."),
    (6, "TooManyExtraSourceImages."),
):
    CASES.append(Case(TEXT, rc, "registered", TEXT_REQUEST | {"extra_source_images": [{"image": "x"}] * extra}))
for route, request in REQUESTS.items():
    path = PATHS[route]
    many = request | {"params": request["params"] | {"n": 20}}
    CASES += [
        Case(route, "InvalidAPIKey", "nobody", request),
        Case(route, "DeletedUser", "deleted", request),
        Case(route, "BadRequest", "registered", request | {"webhook": "http://example.com/hear"}),
        Case(route, "MaintenanceMode", "registered", request, prepare=maintenance),
        Case(route, "NulByteInPayload", "registered", request | {"prompt": "a\0b"}),
        Case(route, "RequiresTrust", "registered", many | {"disable_batching": True}),
        Case(route, "KudosUpfront", "anonymous", many | {"slow_workers": False}, rules={"upfront": True}),
        Case(route, "SharedKeyAssignedStyles", "none", request, prepare=styled_key),
        Case(route, "TimeoutIP", "registered", request, prepare=time_out),
        Case(route, "StyleNotFound", "registered", request | {"style": "nothing of this name"}),
        Case(route, "WorkerNotFound", "registered", request | {"workers": [UNKNOWN]}),
        Case(route, "TooManyPrompts", "registered", many, prepare=waiting(path, request)),
        Case(f"GET {path}/status/{{id}}", "RequestNotFound", "none", path={"id": UNKNOWN}),
        Case(f"DELETE {path}/status/{{id}}", "RequestNotFound", "none", path={"id": UNKNOWN}),
    ]
    submit, result = f"POST {path}/submit", {"id": "{job_id}", "generation": "R2", "seed": 1}
    CASES += [
        Case(submit, "InvalidJobID", "registered", result | {"id": UNKNOWN}),
        Case(submit, "InvalidAPIKey", "nobody", result, prepare=job(path, "running")),
        Case(submit, "WrongCredentials", "other", result, prepare=job(path, "running")),
        Case(submit, "BadRequest", "registered", result | {"gen_metadata": [SOFT] * 51}, prepare=job(path, "running")),
        Case(submit, "DuplicateGen", "registered", result, prepare=job(path, "done")),
        Case(submit, "AbortedGen", "registered", result, prepare=job(path, "stale")),
    ]
CASES += [
    Case("GET /generate/check/{id}", "RequestNotFound", "none", path={"id": UNKNOWN}),
    Case("GET /generate/check/{id}", "RequestNotFound", "none", prepare=asked("/generate/text", TEXT_REQUEST)),
]
