"""Who may do what: one row per route and body, one status per caller. A route without a row fails test_permissions.py.

Callers, in the order of the columns: no key, the anonymous user, a registered one, a trusted one, a moderator, the
admin, a shared key (of the registered user), a user that is marked as deleted, a flagged one. What the paths name
belongs to the registered user, the team to the trusted one (tests/support/people.py).
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.support.horde import (
    ALCHEMY_POP,
    ALCHEMY_REQUEST,
    IMAGE_POP,
    IMAGE_REQUEST,
    TEXT_POP,
    TEXT_REQUEST,
)
from tests.support.people import People

CALLERS = ("none", "anonymous", "registered", "trusted", "moderator", "admin", "shared key", "deleted", "flagged")
# Makes what the call needs; returns path parameters, and under "body" members of the body.
Prepare = Callable[[People], Awaitable[dict[str, Any]]]


@dataclass(frozen=True)
class Row:
    """`expected`: the statuses by caller. `path`: parameters in place of the usual ones. `endless`: a stream."""

    route: str
    expected: str
    body: Any = None
    path: dict[str, str] | None = None
    prepare: Prepare | None = None
    endless: bool = False

    def __str__(self) -> str:
        return f"{self.route} {self.body or ''}"[:80]


async def image_request(people: People) -> dict[str, Any]:
    return {"id": (await people.ok("registered", "POST", "/generate/async", IMAGE_REQUEST))["id"]}


async def text_request(people: People) -> dict[str, Any]:
    return {"id": (await people.ok("registered", "POST", "/generate/text/async", TEXT_REQUEST))["id"]}


async def image_job(people: People) -> dict[str, Any]:
    await image_request(people)
    return {"body": {"id": (await people.ok("registered", "POST", "/generate/pop", IMAGE_POP))["id"]}}


async def running_job(people: People) -> dict[str, Any]:
    return {"id": (await text_job(people))["body"]["id"]}


async def text_job(people: People) -> dict[str, Any]:
    await text_request(people)
    return {"body": {"id": (await people.ok("registered", "POST", "/generate/text/pop", TEXT_POP))["id"]}}


async def alchemy_request(people: People) -> dict[str, Any]:
    return {"id": (await people.ok("registered", "POST", "/interrogate/async", ALCHEMY_REQUEST))["id"]}


async def form_job(people: People) -> dict[str, Any]:
    await alchemy_request(people)
    popped = await people.ok("registered", "POST", "/interrogate/pop", ALCHEMY_POP)
    return {"body": {"id": popped["forms"][0]["id"]}}


async def to_other(people: People) -> dict[str, Any]:
    return {"body": {"username": f"other#{people.cast.ids['other']}"}}


async def to_own_worker(people: People) -> dict[str, Any]:
    return {"body": {"worker_id": people.cast.things["worker_id"]}}


async def invitation(people: People) -> dict[str, Any]:
    return {"id": (await _invited(people, {}))["id"]}


async def worker_code(people: People) -> dict[str, Any]:
    return {"body": {"code": (await _invited(people, {"worker": True}))["code"]}}


async def _invited(people: People, body: dict[str, Any]) -> Any:
    headers = {"apikey": str(people.cast.keys["moderator"])}
    return (await people.horde.http.post("/api/node/v1/invitations", json=body, headers=headers)).json()


async def image_style(people: People) -> dict[str, Any]:
    return await _style(people, "image", IMAGE_STYLE)


async def text_style(people: People) -> dict[str, Any]:
    return await _style(people, "text", TEXT_STYLE)


async def _style(people: People, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """A style of the trusted user under a name of its own: GET rows ask one horde again and again."""
    name = f"style {next(NUMBERS)}"
    made = await people.ok("trusted", "POST", f"/styles/{kind}", body | {"name": name})
    return {"style_id": made["id"], "style_name:path": name}


async def example(people: People) -> dict[str, Any]:
    found = await image_style(people)
    made = await people.ok("trusted", "POST", f"/styles/image/{found['style_id']}/example", EXAMPLE)
    return found | {"example_id": made["id"]}


async def collection(people: People) -> dict[str, Any]:
    name = f"collection {next(NUMBERS)}"
    body = {"name": name, "styles": [(await image_style(people))["style_id"]]}
    made = await people.ok("trusted", "POST", "/collections", body)
    return {"collection_id": made["id"], "collection_name:path": name}


async def of_a_style(people: People) -> dict[str, Any]:
    return {"body": {"styles": [(await image_style(people))["style_id"]]}}


async def prompt_filter(people: People) -> dict[str, Any]:
    return {"filter_id": (await people.ok("moderator", "PUT", "/filters", FILTER))["id"]}


async def address_timeout(people: People) -> dict[str, Any]:
    await people.ok("moderator", "POST", "/operations/ipaddr", {"ipaddr": "192.0.2.1", "hours": 1})
    return {}


async def blocked_worker(people: People) -> dict[str, Any]:
    worker_id = people.cast.things["worker_id"]
    await people.ok("moderator", "PUT", f"/operations/block_worker_ipaddr/{worker_id}", {"days": 1})
    return {}


IMAGE_STYLE = {"name": "a style", "models": ["model one"], "prompt": "{p}{np}"}
TEXT_STYLE = {"name": "a text style", "models": ["model one"], "prompt": "{p}"}
EXAMPLE = {"url": "https://example.com/a.webp", "primary": True}
NUMBERS = itertools.count()
FILTER = {"regex": "cat", "filter_type": 10}
ANYBODY = "200 200 200 200 200 200 200 200 200"
#                                                 none anon regi trus mode admi shar dele flag
ROWS = [
    Row("POST /generate/async",                  "400  202  202  202  202  202  202  403  202", IMAGE_REQUEST),
    Row("POST /generate/async",                  "400  200  200  200  200  200  200  403  200", IMAGE_REQUEST | {"dry_run": True}),
    Row("GET /generate/check/{id}",              ANYBODY, prepare=image_request),
    Row("GET /generate/status/{id}",             ANYBODY, prepare=image_request),
    Row("DELETE /generate/status/{id}",          ANYBODY, prepare=image_request),
    Row("POST /generate/pop",                    "400  403  200  200  200  200  401  403  403", IMAGE_POP | {"name": "newcomer"}),
    Row("POST /generate/submit",                 "400  403  200  403  403  403  401  403  403", {"generation": "R2", "seed": 1}, prepare=image_job),
    Row("POST /generate/text/async",             "400  202  202  202  202  202  202  403  202", TEXT_REQUEST),
    Row("POST /generate/text/async",             "400  200  200  200  200  200  200  403  200", TEXT_REQUEST | {"dry_run": True}),
    Row("GET /generate/text/status/{id}",        ANYBODY, prepare=text_request),
    Row("DELETE /generate/text/status/{id}",     ANYBODY, prepare=text_request),
    Row("POST /generate/text/pop",               "400  403  200  200  200  200  401  403  403", TEXT_POP | {"name": "newcomer"}),
    Row("POST /generate/text/submit",            "400  403  200  403  403  403  401  403  403", {"generation": "text"}, prepare=text_job),
    Row("POST /interrogate/async",               "400  202  202  202  202  202  401  202  202", ALCHEMY_REQUEST),
    Row("GET /interrogate/status/{id}",          ANYBODY, prepare=alchemy_request),
    Row("DELETE /interrogate/status/{id}",       ANYBODY, prepare=alchemy_request),
    Row("POST /interrogate/pop",                 "400  403  200  200  200  200  401  403  403", ALCHEMY_POP | {"name": "newcomer"}),
    Row("POST /interrogate/submit",              "400  403  200  403  403  403  401  403  403", {"result": {"caption": "text"}}, prepare=form_job),
    Row("GET /styles/image",                     ANYBODY),
    Row("POST /styles/image",                    "400  403  403  200  200  200  401  403  403", IMAGE_STYLE),
    Row("GET /styles/image/{style_id}",          ANYBODY, prepare=image_style),
    Row("PATCH /styles/image/{style_id}",        "400  403  403  200  403  403  401  403  403", {"nsfw": True}, prepare=image_style),
    Row("DELETE /styles/image/{style_id}",       "400  403  403  200  200  200  401  403  403", prepare=image_style),
    Row("GET /styles/image_by_name/{style_name:path}", ANYBODY, prepare=image_style),
    Row("GET /styles/text",                      ANYBODY),
    Row("POST /styles/text",                     "400  403  403  200  200  200  401  403  403", TEXT_STYLE),
    Row("GET /styles/text/{style_id}",           ANYBODY, prepare=text_style),
    Row("PATCH /styles/text/{style_id}",         "400  403  403  200  403  403  401  403  403", {"nsfw": True}, prepare=text_style),
    Row("DELETE /styles/text/{style_id}",        "400  403  403  200  200  200  401  403  403", prepare=text_style),
    Row("GET /styles/text_by_name/{style_name:path}", ANYBODY, prepare=text_style),
    Row("POST /styles/image/{style_id}/example", "400  403  403  200  200  200  401  403  403", EXAMPLE, prepare=image_style),
    Row("PATCH /styles/image/{style_id}/example/{example_id}", "400  403  403  200  200  200  401  403  403", {"primary": False}, prepare=example),
    Row("DELETE /styles/image/{style_id}/example/{example_id}", "400  403  403  200  200  200  401  403  403", prepare=example),
    Row("GET /collections",                      ANYBODY),
    Row("POST /collections",                     "400  403  200  200  200  200  401  403  200", {"name": "new"}, prepare=of_a_style),
    Row("GET /collections/{collection_id}",      ANYBODY, prepare=collection),
    Row("PATCH /collections/{collection_id}",    "400  403  403  200  403  403  401  403  403", {"public": False}, prepare=collection),
    Row("DELETE /collections/{collection_id}",   "400  403  403  200  200  200  401  403  403", prepare=collection),
    Row("GET /collection_by_name/{collection_name:path}", ANYBODY, prepare=collection),
    Row("GET /filters",                          "400  403  403  403  200  200  401  403  403"),
    Row("PUT /filters",                          "400  403  403  403  200  200  401  403  403", FILTER),
    Row("POST /filters",                         "400  403  403  403  200  200  401  403  403", {"prompt": "a cat"}),
    Row("GET /filters/regex",                    "400  403  403  403  200  200  401  403  403"),
    Row("GET /filters/{filter_id}",              "400  403  403  403  200  200  401  403  403", prepare=prompt_filter),
    Row("PATCH /filters/{filter_id}",            "400  403  403  403  200  200  401  403  403", {"replacement": "x"}, prepare=prompt_filter),
    Row("DELETE /filters/{filter_id}",           "400  403  403  403  200  200  401  403  403", prepare=prompt_filter),
    Row("GET /stats/img/totals",                 ANYBODY),
    Row("GET /stats/img/models",                 ANYBODY),
    Row("GET /stats/text/totals",                ANYBODY),
    Row("GET /stats/text/models",                ANYBODY),
    Row("GET /api",                              ANYBODY),
    Row("HEAD /api",                             ANYBODY),
    Row("GET /api/openapi.json",                 ANYBODY),
    Row("GET /api/swagger.json",                 ANYBODY),
    Row("GET /users",                            ANYBODY),
    Row("GET /users/{user_id}",                  "200  200  200  200  200  200  401  200  200"),
    Row("PUT /users/{user_id}",                  "400  403  200  403  200  200  401  403  403", {"public_workers": True}),
    Row("PUT /users/{user_id}",                  "400  403  403  403  200  200  401  403  403", {"trusted": True}),
    Row("PUT /users/{user_id}",                  "400  403  403  403  403  200  401  403  403", {"kudos": 5}),
    Row("DELETE /users/{user_id}",               "400  403  200  403  200  200  401  403  403"),
    Row("GET /find_user",                        "401  200  200  200  200  200  200  200  200"),
    Row("PUT /sharedkeys",                       "400  403  200  200  200  200  401  200  200", {}),
    Row("GET /sharedkeys/{sharedkey_id}",        ANYBODY),
    Row("PATCH /sharedkeys/{sharedkey_id}",      "400  403  200  403  403  403  401  403  403", {"kudos": 5}),
    Row("DELETE /sharedkeys/{sharedkey_id}",     "400  403  200  403  403  403  401  403  403"),
    Row("GET /workers",                          ANYBODY),
    Row("GET /workers/{worker_id}",              ANYBODY),
    Row("GET /workers/name/{worker_name}",       ANYBODY),
    Row("PUT /workers/{worker_id}",              "400  403  200  403  200  200  401  403  403", {"maintenance": True}),
    Row("PUT /workers/{worker_id}",              "400  403  403  403  200  200  401  403  403", {"paused": True}),
    Row("DELETE /workers/{worker_id}",           "400  403  200  403  200  200  401  403  403"),
    Row("GET /workers/messages",                 "400  200  200  200  200  200  401  200  200"),
    Row("POST /workers/messages",                "400  403  200  403  200  200  401  403  403", {"message": "to one"}, prepare=to_own_worker),
    Row("POST /workers/messages",                "400  403  403  403  200  200  401  403  403", {"message": "to all"}),
    Row("GET /workers/messages/{message_id}",    ANYBODY),
    Row("DELETE /workers/messages/{message_id}", "400  403  200  403  200  200  401  403  403"),
    Row("GET /status/modes",                     "200  200  200  200  200  200  401  200  200"),
    Row("PUT /status/modes",                     "400  403  403  403  200  200  401  403  403", {"raid_mode": True}),
    Row("PUT /status/modes",                     "400  403  403  403  403  200  401  403  403", {"maintenance_mode": True}),
    Row("GET /status/news",                      ANYBODY),
    Row("GET /operations/ipaddr",                "400  403  403  403  200  200  401  403  403"),
    Row("POST /operations/ipaddr",               "400  403  403  403  200  200  401  403  403", {"ipaddr": "192.0.2.1", "hours": 1}),
    Row("DELETE /operations/ipaddr",             "400  403  403  403  200  200  401  403  403", {"ipaddr": "192.0.2.1"}, prepare=address_timeout),
    Row("GET /operations/ipaddr/{ipaddr:path}",  "400  403  403  403  200  200  401  403  403", path={"ipaddr:path": "192.0.2.1"}),
    Row("PUT /operations/block_worker_ipaddr/{worker_id}", "400  403  403  403  200  200  401  403  403", {"days": 1}),
    Row("DELETE /operations/block_worker_ipaddr/{worker_id}", "400  403  403  403  200  200  401  403  403", prepare=blocked_worker),
    Row("GET /documents/terms",                  ANYBODY),
    Row("GET /documents/privacy",                ANYBODY),
    Row("GET /documents/sponsors",               ANYBODY),
    Row("GET /terms",                            ANYBODY),
    Row("GET /privacy",                          ANYBODY),
    Row("GET /api/node/v1/webhooks",             "400  403  200  200  200  200  401  200  200"),
    Row("POST /generate/rate/{id}",              "404  404  404  404  404  404  404  404  404", {"best": "00000000-0000-4000-8000-000000000000"}, path={"id": "00000000-0000-4000-8000-000000000000"}),
    Row("GET /teams",                            ANYBODY),
    Row("POST /teams",                           "400  403  403  200  200  200  401  403  403", {"name": "another team"}),
    Row("GET /teams/{team_id}",                  "200  200  200  200  200  200  401  200  200"),
    Row("PATCH /teams/{team_id}",                "400  403  403  200  200  200  401  403  403", {"info": "changed"}),
    Row("DELETE /teams/{team_id}",               "400  403  403  200  200  200  401  403  403"),
    Row("POST /api/node/v1/users",               "403  403  403  403  200  200  401  403  403", {"username": "newcomer"}),
    Row("POST /api/node/v1/invitations",         "400  403  403  403  200  200  401  403  403", {}),
    Row("GET /api/node/v1/invitations",          "400  403  403  403  200  200  401  403  403"),
    Row("DELETE /api/node/v1/invitations/{id}",  "400  403  403  403  200  200  401  403  403", prepare=invitation),
    Row("POST /api/node/v1/workers",             ANYBODY, {"name": "newcomer", "attempt": "a" * 22}, prepare=worker_code),
    Row("GET /api/node/v1/keys",                 "400  403  200  200  200  200  401  200  200"),
    Row("POST /api/node/v1/keys",                "400  403  200  200  200  200  401  200  200", {"name": "another"}),
    Row("DELETE /api/node/v1/keys/{name}",       "400  403  400  400  400  400  401  400  400", path={"name": "the only one"}),
    Row("POST /kudos/transfer",                  "400  400  200  200  200  200  401  400  400", {"amount": 1}, prepare=to_other),
    Row("POST /kudos/award",                     "400  403  403  403  403  200  401  403  403", {"amount": 1}, prepare=to_other),
    Row("GET /api/node/v1/kudos",                "400  200  200  200  200  200  401  200  200"),
    Row("POST /api/node/v1/jobs/{id}/progress",  "400  403  200  403  403  403  401  403  403", {"step": 1, "steps": 2}, prepare=running_job),
    Row("DELETE /api/node/v1/pops/{id}",         "400  404  404  404  404  404  401  404  404", path={"id": "no such pop"}),
    Row("GET /api/node/v1/events",               "200  200  200  200  200  200  401  200  200", endless=True),
    Row("GET /status/heartbeat",                 ANYBODY),
    Row("GET /status/performance",               ANYBODY),
    Row("GET /status/models",                    ANYBODY),
    Row("GET /status/models/{model_name:path}",  ANYBODY, path={"model_name:path": "model one"}),
    Row("GET /.well-known/serviceinfo",          ANYBODY),
    Row("GET /metrics",                          ANYBODY),
    Row("GET /register",                         ANYBODY),
    Row("POST /register",                        "400  400  400  400  400  400  400  400  400", {"username": "newcomer"}),
    Row("PUT /blobs/{bucket}/{key}",             "403  403  403  403  403  403  403  403  403", path={"bucket": "results", "key": "x.webp"}),
    Row("GET /blobs/{bucket}/{key}",             "403  403  403  403  403  403  403  403  403", path={"bucket": "results", "key": "x.webp"}),
    Row("HEAD /blobs/{bucket}/{key}",            "403  403  403  403  403  403  403  403  403", path={"bucket": "results", "key": "x.webp"}),
]  # fmt: skip
