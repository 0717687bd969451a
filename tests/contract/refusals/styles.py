"""Refusals of styles, their examples, and collections (contract 13). What there is belongs to `trusted`."""

from __future__ import annotations

from typing import Any

from tests.contract.refusals.case import Case
from tests.support.people import UNKNOWN, People

STYLE = {"image": "/styles/image/{style_id}", "text": "/styles/text/{text_style_id}"}
ROUTE = {kind: f"/styles/{kind}/{{style_id}}" for kind in STYLE}
NEW: dict[str, dict[str, Any]] = {
    "image": {"name": "another", "models": ["model one"], "prompt": "{p}, fine{np}"},
    "text": {"name": "another", "models": ["model one"], "prompt": "Hear: {p}"},
}
EXAMPLE = "/styles/image/{style_id}/example"
ONE_EXAMPLE = f"{EXAMPLE}/{{example_id}}"
URL = {"url": "https://example.com/b.webp", "primary": False}
COLLECTION = "/collections/{collection_id}"
GATHERED = {"name": "another", "styles": ["{style_id}"]}


async def special_artist(people: People) -> dict[str, str]:
    """Who may make styles and has special models."""
    await people.horde.change_user(people.cast.ids["trusted"], special=True)
    return {"model": f"horde_special::trusted#{people.cast.ids['trusted']}"}


async def deleted_artist(people: People) -> None:
    await people.horde.change_user(people.cast.ids["deleted"], trusted=True)


async def four_examples(people: People) -> None:
    for number in range(3):  # one is there already
        await people.ok("trusted", "POST", people.path(EXAMPLE), URL | {"url": f"https://example.com/{number}"})


def broken(kind: str) -> list[tuple[str, dict[str, Any]]]:
    """What no style of this kind may hold."""
    if kind == "text":
        return [
            ("BadRequest", {"models": []}),
            ("BadRequest", {"prompt": "no place for it"}),
            ("ExcessiveStopSequence", {"params": {"stop_sequence": ["x" * 2001]}}),
            ("TooManyStopSequences", {"params": {"stop_sequence": [str(n) for n in range(129)]}}),
            ("MissingFullSamplerOrder", {"params": {"sampler_order": [1, 2]}}),
            ("TokenOverflow", {"params": {"max_length": 512, "max_context_length": 80}}),
        ]
    flux = ["new [Flux]"]
    return [
        ("BadRequest", {"models": []}),
        ("BadRequest", {"prompt": "only {p} of both"}),
        ("BadCFGDecimals", {"params": {"cfg_scale": 7.123}}),
        ("BadLoraVersion", {"params": {"loras": [{"name": "x", "is_version": True}]}}),
        ("ControlNetMismatch.", {"params": {"workflow": "qr_code"}, "models": flux}),
        ("HiResMismatch", {"params": {"hires_fix": True}, "models": flux}),
        ("InvalidPromptSize", {"prompt": "{p}{np}" + " word" * 7500}),
        ("InvalidTransparencyModel", {"params": {"transparent": True}, "models": flux}),
        ("TooManyLoras", {"params": {"loras": [{"name": str(n)} for n in range(6)]}}),
        ("TooManyTIs", {"params": {"tis": [{"name": str(n)} for n in range(21)]}}),
        ("TooManyUpscalers", {"params": {"post_processing": ["RealESRGAN_x4plus", "NMKD_Siax"]}}),
        ("UnexpectedModelName", {"models": ["GFPGAN"]}),
    ]


CASES: list[Case] = []
for kind, other in (("image", "text"), ("text", "image")):
    one, new = ROUTE[kind], NEW[kind]
    create, patch, delete = f"POST /styles/{kind}", f"PATCH {one}", f"DELETE {one}"
    mine = {"style_id": "{text_style_id}"} if kind == "text" else {}
    foreign = {"style_id": "{text_style_id}"} if kind == "image" else {}
    by_name = f"GET /styles/{kind}_by_name/{{style_name}}"
    CASES += [
        Case(f"GET /styles/{kind}", "BadRequest", "none", query="?sort=odd"),
        Case(create, "InvalidAPIKey", "nobody", new),
        Case(create, "DeletedUser", "deleted", new, prepare=deleted_artist),
        Case(create, "StylesAnonForbidden", "anonymous", new),
        Case(create, "StylesRequiresCustomizer", "registered", new),
        Case(create, "Forbidden", "trusted", new | {"sharedkey": "{sharedkey_id}"}),
        Case(f"GET {one}", f"{kind.title()} styleNotFound", "none", path={"style_id": UNKNOWN}),
        Case(f"GET {one}", "BadRequest", "none", path=foreign),
        Case(by_name, "StyleNotFound", "none", path={"style_name": "nothing"}),
        Case(by_name, "BadRequest", "none", path={"style_name": f"{{{other}_style_name}}"}),
        Case(patch, "InvalidAPIKey", "nobody", {"nsfw": True}, path=mine),
        Case(patch, "Forbidden", "registered", {"nsfw": True}, path=mine),
        Case(patch, "StyleNotFound", "trusted", {"nsfw": True}, path={"style_id": UNKNOWN}),
        Case(delete, "InvalidAPIKey", "nobody", path=mine),
        Case(delete, "Forbidden", "registered", path=mine),
        Case(delete, "StylesAnonForbidden", "anonymous", path=mine),
        Case(delete, "StyleNotFound", "trusted", path={"style_id": UNKNOWN}),
    ]
    for route, base, path in ((create, new, {}), (patch, {}, mine)):
        CASES += [Case(route, rc, "trusted", base | changes, path=path) for rc, changes in broken(kind)]
        CASES += [
            Case(route, "Forbidden", "trusted", base | {"models": ["horde_special::trusted#{trusted_id}"]}, path=path),
            Case(route, "SpecialMissingUsername", "trusted", base | {"models": ["horde_special"]}, path, prepare=special_artist),
            Case(route, "SpecialMissingPayload", "trusted", base | {"models": ["{model}"]}, path, prepare=special_artist),
        ]  # fmt: skip
for route, body in (
    (f"POST {EXAMPLE}", URL),
    (f"PATCH {ONE_EXAMPLE}", {"primary": True}),
    (f"DELETE {ONE_EXAMPLE}", None),
):
    CASES += [
        Case(route, "InvalidAPIKey", "nobody", body),
        Case(route, "Forbidden", "registered", body),
        Case(route, "StyleNotFound", "trusted", body, path={"style_id": UNKNOWN}),
    ]
CASES += [
    Case(f"POST {EXAMPLE}", "BadRequest", "trusted", URL | {"url": "http://example.com/b.webp"}),
    Case(f"POST {EXAMPLE}", "Forbidden", "trusted", URL, prepare=four_examples),
    Case(f"PATCH {ONE_EXAMPLE}", "BadRequest", "trusted", {"url": "http://example.com/b.webp"}),
    Case(f"PATCH {ONE_EXAMPLE}", "Style exampleNotFound", "trusted", {"primary": True}, path={"example_id": UNKNOWN}),
    Case(f"DELETE {ONE_EXAMPLE}", "Style exampleNotFound", "trusted", path={"example_id": UNKNOWN}),
    Case(f"DELETE {ONE_EXAMPLE}", "BadRequest", "trusted", path={"style_id": "{other_style_id}"}),
    Case("GET /collections", "BadRequest", "none", query="?sort=odd"),
    Case("POST /collections", "BadRequest", "trusted", GATHERED | {"styles": []}),
    Case("POST /collections", "BadRequest", "trusted", GATHERED | {"styles": ["{style_id}", "{text_style_id}"]}),
    Case("POST /collections", "InvalidAPIKey", "nobody", GATHERED),
    Case("POST /collections", "DeletedUser", "deleted", GATHERED),
    Case("POST /collections", "StylesAnonForbidden", "anonymous", GATHERED),
    Case(f"GET {COLLECTION}", "CollectionNotFound", "none", path={"collection_id": UNKNOWN}),
    Case("GET /collection_by_name/{collection_name}", "CollectionNotFound", "none", path={"collection_name": "odd"}),
    Case(f"PATCH {COLLECTION}", "BadRequest", "trusted", {"styles": ["nothing"]}),
    Case(f"PATCH {COLLECTION}", "InvalidAPIKey", "nobody", {"public": False}),
    Case(f"PATCH {COLLECTION}", "Forbidden", "registered", {"public": False}),
    Case(f"PATCH {COLLECTION}", "CollectionNotFound", "trusted", {"public": False}, path={"collection_id": UNKNOWN}),
    Case(f"DELETE {COLLECTION}", "InvalidAPIKey", "nobody"),
    Case(f"DELETE {COLLECTION}", "Forbidden", "registered"),
    Case(f"DELETE {COLLECTION}", "CollectionNotFound", "trusted", path={"collection_id": UNKNOWN}),
]
