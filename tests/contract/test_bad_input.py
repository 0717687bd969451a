"""Every route with everything that clients get wrong: a contract error, never a 500 (contract 1)."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from hordenode.api.route import Auth, Route
from hordenode.api.routes import ROUTES
from tests.contract import schema
from tests.support.aio import run
from tests.support.horde import (
    ALCHEMY_POP,
    ALCHEMY_REQUEST,
    ANONYMOUS,
    IMAGE_POP,
    IMAGE_REQUEST,
    TEXT_POP,
    TEXT_REQUEST,
    Horde,
    open_horde,
)

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
TABLE = [route for route in ROUTES if isinstance(route, Route) and route.path.startswith("/api/v2")]
WITH_BODY = [route for route in TABLE if route.body is not None]
NUL, HUGE = "a\0b", 2**70
# Nothing is wrong with these where the long or odd member is one that the route does not read, or takes as it is.
HARMLESS = {"infinite", "5 MB of text"}
# Bodies that are good where every member is optional, or where all are texts.
HARMLESS_HERE = {"/sharedkeys": {"no members", "5 MB of members", "not utf-8"}, "/teams": {"all texts"}}

GOOD: dict[str, dict[str, Any]] = {
    "/generate/async": IMAGE_REQUEST,
    "/generate/text/async": TEXT_REQUEST,
    "/generate/pop": IMAGE_POP,
    "/generate/text/pop": TEXT_POP,
    "/generate/submit": {"id": UNKNOWN_ID, "generation": "R2", "seed": 1},
    "/generate/text/submit": {"id": UNKNOWN_ID, "generation": "text"},
    "/generate/rate/{id}": {"best": UNKNOWN_ID},
    "/status/modes": {"raid_mode": True},
    "/operations/ipaddr": {"ipaddr": "10.0.0.0/8", "hours": 1},
    "/operations/block_worker_ipaddr/{worker_id}": {"days": 1},
    "/kudos/transfer": {"username": "owner#1", "amount": 1},
    "/kudos/award": {"username": "owner#1", "amount": 1},
    "/interrogate/async": ALCHEMY_REQUEST,
    "/interrogate/pop": ALCHEMY_POP,
    "/interrogate/submit": {"id": UNKNOWN_ID, "result": {"caption": "text"}},
    "/users/{user_id}": {"username": "another name"},
    "/sharedkeys": {"name": "for friends"},
    "/sharedkeys/{sharedkey_id}": {"name": "for friends"},
    "/workers/{worker_id}": {"maintenance": True},
    "/workers/messages": {"message": "hello", "worker_id": UNKNOWN_ID},
    "/teams": {"name": "a team"},
    "/teams/{team_id}": {"name": "a team"},
    "/styles/image": {"name": "a style", "models": ["model one"], "prompt": "{p}{np}"},
    "/styles/image/{style_id}": {"name": "a style", "prompt": "{p}{np}"},
    "/styles/text": {"name": "a style", "models": ["model one"], "prompt": "{p}"},
    "/styles/text/{style_id}": {"name": "a style", "prompt": "{p} and more"},
    "/styles/image/{style_id}/example": {"url": "https://example.com/a.webp", "primary": True},
    "/styles/image/{style_id}/example/{example_id}": {"url": "https://example.com/a.webp"},
    "/collections": {"name": "a collection", "styles": ["a style"]},
    "/collections/{collection_id}": {"name": "a collection"},
    "/filters": {"regex": "cat", "filter_type": 10, "prompt": "a cat"},
    "/filters/{filter_id}": {"regex": "cat"},
}
KEYS = {"no key": None, "bad key": "x" * 22, "odd key": "ÿ key\t", "uuid key": UNKNOWN_ID, "anonymous": ANONYMOUS}
PARAMETERS = {
    "unknown": UNKNOWN_ID,
    "not a uuid": "5",
    "with nul": "%00",
    "long": "x" * 5000,
    "quote": "'; DROP TABLE users; --",
    "encoded slash": "..%2f..%2fetc",
    "not utf-8": "%ff%fe",
}


def route_id(route: Route) -> str:
    return f"{route.method} {route.path.removeprefix('/api/v2').replace(':path', '')}"


def short(route: Route) -> str:
    return route.path.removeprefix("/api/v2")


def filled(route: Route, parameter: str) -> str:
    """The route's path with this value for each of its parameters."""
    return re.sub(r"\{\w+(:path)?\}", lambda _: parameter, short(route))


def junk(size: int) -> bytes:
    return random.Random(5).randbytes(size)


def bodies(route: Route) -> dict[str, bytes]:
    good = GOOD[short(route)]
    names = [field for field in schema_properties(route) if field != "special"]
    return {
        "empty": b"",
        "not json": b"{'prompt': ",
        "a list": b"[]",
        "a number": b"7",
        "null": b"null",
        "no members": b"{}",
        "not utf-8": b'{"prompt": "\xff\xfe"}',
        "deep": b'{"params":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "5 MB of noise": junk(5_000_000),
        "5 MB of text": json.dumps(good | {"prompt": "word " * 1_000_000}).encode(),
        "5 MB of members": json.dumps({f"k{i}": i for i in range(300_000)}).encode(),
        "all null": json.dumps(good | dict.fromkeys(names)).encode(),
        "all numbers": json.dumps(dict.fromkeys(names, 1.5)).encode(),
        "all texts": json.dumps(dict.fromkeys(names, "text")).encode(),
        "all lists": json.dumps({name: [[]] for name in names}).encode(),
        "all huge": json.dumps(dict.fromkeys(names, HUGE)).encode(),
        "all nul": json.dumps(good | {name: NUL for name, kind in good.items() if isinstance(kind, str)}).encode(),
        "infinite": b'{"seed": 1e999, "id": "x", "generation": "y", "name": "z", "prompt": "p", "max_pixels": 1e999}',
    }


def schema_properties(route: Route) -> list[str]:
    reference = schema.ROUTES[route_id(route)]["request"]["schema"]["$ref"].rpartition("/")[2]
    return list(schema.API["$defs"][reference]["properties"])


async def ask(horde: Horde, route: Route, path: str, body: bytes | None, key: str | None) -> int:
    """Call and check the shape of whatever comes back."""
    headers = {} if key is None else {"apikey": key.encode("latin-1").decode("latin-1")}
    content = {"Content-Type": "application/json"} if body is not None else {}
    answer = await horde.http.request(
        route.method,
        f"/api/v2{path}",
        content=body,
        headers=[(n.encode(), v.encode("latin-1")) for n, v in (headers | content).items()],
    )
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.status_code < 500, answer.text[:300]
    schema.validate(route_id(route), answer.status_code, answer.json())
    return answer.status_code


@pytest.mark.parametrize("route", WITH_BODY, ids=route_id)
def test_bad_bodies_get_contract_errors(tmp_path: Path, route: Route) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            for name, body in bodies(route).items():
                status = await ask(horde, route, short(route), body, key)
                harmless = HARMLESS | HARMLESS_HERE.get(short(route), set())
                assert 400 <= status < 500 or name in harmless, f"{name}: {status}"
            assert await horde.ledger_sum() == 0

    run(main())


@pytest.mark.parametrize("route", WITH_BODY, ids=route_id)
def test_a_bad_body_is_reported_before_a_bad_key(tmp_path: Path, route: Route) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            answer = await horde.call(route.method, short(route), [], key="nobody's key")
            assert answer.status_code == 400 and "errors" in answer.json()

    run(main())


@pytest.mark.parametrize("route", TABLE, ids=route_id)
def test_every_key_gets_a_contract_answer(tmp_path: Path, route: Route) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            path = filled(route, UNKNOWN_ID)
            good = json.dumps(GOOD[short(route)]).encode() if route.body else None
            for name, key in KEYS.items():
                status = await ask(horde, route, path, good, key)
                if route.auth is Auth.KEY and name == "no key":
                    assert status == 400
                if route.auth is Auth.KEY and name in ("bad key", "odd key", "uuid key"):
                    assert status in (401, 404)

    run(main())


@pytest.mark.parametrize("route", [route for route in TABLE if "{" in route.path], ids=route_id)
def test_odd_path_parameters_get_contract_answers(tmp_path: Path, route: Route) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            good = json.dumps(GOOD[short(route)]).encode() if route.body else None
            refusals = () if route.method == "GET" and route.auth is Auth.NONE else (400, 403)
            for parameter in PARAMETERS.values():
                status = await ask(horde, route, filled(route, parameter), good, ANONYMOUS)
                unknown = {401, 404} if short(route).startswith("/sharedkeys/") else {404}
                assert status in {200, *unknown, *refusals}

    run(main())


def test_odd_queries_get_contract_errors(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            for query in (
                "type=nonsense",
                "model_state=odd",
                "min_count=x",
                f"min_count={HUGE}",
                "type=image&type=text",
            ):
                answer = await horde.call("GET", f"/status/models?{query}")
                schema.validate("GET /status/models", answer.status_code, answer.json())
                assert answer.status_code in (200, 400)

    run(main())


def test_unknown_paths_methods_and_preflights(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            assert (await horde.call("GET", "/nothing")).json()["message"]
            wrong = await horde.call("DELETE", "/generate/async")
            assert wrong.status_code == 405 and wrong.json()["message"]
            preflight = await horde.call("OPTIONS", "/generate/async")
            assert preflight.status_code == 200 and preflight.headers["access-control-allow-origin"] == "*"
            doubled = await horde.http.get("/api//v2//status/heartbeat")
            assert doubled.status_code == 200

    run(main())


def test_a_prompt_with_too_many_words_is_refused_with_its_length(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            answer = await horde.call(
                "POST", "/generate/async", IMAGE_REQUEST | {"prompt": "word " * 7501}, key=ANONYMOUS
            )
            assert answer.json()["rc"] == "InvalidPromptSize" and "7501" in answer.json()["message"]
            size = IMAGE_REQUEST | {"params": {"width": 100, "height": 64}}
            answer = await horde.call("POST", "/generate/async", size, key=ANONYMOUS)
            assert list(answer.json()["errors"]) == ["params.width"] and "64" in answer.json()["errors"]["params.width"]

    run(main())
