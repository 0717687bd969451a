"""The node's own operations (/api/node/v1) with what clients get wrong: a readable refusal, never a 500."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import fields

from hordenode.api.route import Route
from hordenode.api.routes import ROUTES
from tests.support.aio import run
from tests.support.people import UNKNOWN, Cast, open_people

TABLE = [route for route in ROUTES if isinstance(route, Route) and route.path.startswith("/api/node/")]
WITH_BODY = [route for route in TABLE if route.body is not None]
VALUES: list[Any] = [
    None,
    True,
    "",
    "text",
    "a\0b",
    "x" * 100_000,
    -1,
    2**70,
    1e300,
    1.5,
    [],
    [[]],
    {},
    {"a": {"b": "c"}},
]


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


def bodies(route: Route) -> list[bytes]:
    assert route.body is not None
    names = [field.encode_name for field in fields(route.body)]
    whole = [b"", b"{", b"[]", b"null", b"7", b"{}", b'{"x": "\xff"}', b"[" * 100_000]
    alike = [json.dumps(dict.fromkeys(names, value)).encode() for value in VALUES]
    single = [json.dumps({name: value}).encode() for name in names for value in VALUES]
    return whole + alike + single


@pytest.mark.parametrize("route", WITH_BODY, ids=name_of)
def test_bad_bodies_are_refused_in_words(people_template: tuple[Path, Cast], tmp_path: Path, route: Route) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path / "horde") as people:
            path = re.sub(r"\{\w+(:path)?\}", UNKNOWN, route.path)
            for who in ("admin", "registered", "none"):
                key = people.cast.keys[who]
                headers = {"Content-Type": "application/json"} | ({} if key is None else {"apikey": key})
                for body in bodies(route):
                    answer = await people.horde.http.request(route.method, path, content=body, headers=headers)
                    assert answer.status_code < 500, f"{body[:100]!r}: {answer.text[:300]}"
                    if answer.status_code >= 400:
                        assert answer.json()["message"], body[:100]
            assert await people.horde.ledger_sum() == 0

    run(main())


@pytest.mark.parametrize("route", TABLE, ids=name_of)
def test_odd_parameters_and_queries_are_answered(
    people_template: tuple[Path, Cast], tmp_path: Path, route: Route
) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path / "horde") as people:
            headers = {"apikey": str(people.cast.keys["registered"])}
            for odd in (UNKNOWN, "5", "%00", "x" * 5000, "'; DROP TABLE users; --", "..%2f..", "%ff%fe"):
                path = re.sub(r"\{\w+(:path)?\}", lambda _, odd=odd: odd, route.path)  # type: ignore[misc]
                answer = await people.horde.http.request(route.method, f"{path}?limit={odd}&x={odd}", headers=headers)
                assert answer.status_code < 500, f"{odd[:50]}: {answer.text[:300]}"

    run(main())
