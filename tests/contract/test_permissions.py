"""The table of permissions.py against the API, and against the route table."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from starlette.types import Message

from hordenode.api.routes import ROUTES
from tests.contract.permissions import CALLERS, ROWS, Row
from tests.contract.schema import ROUTES as ROUTES_OF_V2
from tests.contract.schema import validate
from tests.support.aio import run
from tests.support.people import Cast, People, open_people


def operation_of(row: Row) -> str:
    """The route as api.json names it."""
    return row.route.replace(":path}", "}")


async def status_of(people: People, row: Row, who: str) -> int:
    """What this caller is answered."""
    prepared = dict(await row.prepare(people)) if row.prepare else {}
    body = row.body
    if "body" in prepared:
        body = body | prepared.pop("body")
    method, _, template = row.route.partition(" ")
    path = (
        template
        if template.startswith(("/api", "/blobs/", "/.", "/metrics", "/register", "/terms", "/privacy"))
        else f"/api/v2{template}"
    )
    for name, value in (people.cast.things | (row.path or {}) | prepared).items():
        path = path.replace(f"{{{name}}}", value)
    assert "{" not in path, f"{row.route} needs a value for a parameter"
    headers = {"Content-Type": "application/json"} if body is not None else {}
    key = people.cast.keys[who]
    if key is not None:
        headers["apikey"] = key
    content = None if body is None else json.dumps(body).encode()
    if row.endless:
        return await first_status(people, method, path, headers)
    answer = await people.horde.http.request(method, path, content=content, headers=headers)
    if operation_of(row) in ROUTES_OF_V2:
        validate(operation_of(row), answer.status_code, answer.json())
    return answer.status_code


async def first_status(people: People, method: str, path: str, headers: dict[str, str]) -> int:
    """The status of an answer that does not end, from its start."""
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def receive() -> Message:
        if started.done():
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start" and not started.done():
            started.set_result(message["status"])

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("horde.test", 7001),
    }
    running = asyncio.ensure_future(people.horde.app(scope, receive, send))
    try:
        return await started
    finally:
        running.cancel()
        await asyncio.wait({running})


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_each_caller_gets_the_expected_status(people_template: tuple[Path, Cast], tmp_path: Path, row: Row) -> None:
    async def main() -> dict[str, int]:
        if row.route.startswith("GET "):  # changes nothing, so that all may ask the same horde
            async with open_people(people_template, tmp_path / "horde") as people:
                return {who: await status_of(people, row, who) for who in CALLERS}
        found = {}
        for who in CALLERS:
            async with open_people(people_template, tmp_path / who) as people:
                found[who] = await status_of(people, row, who)
        return found

    assert run(main()) == dict(zip(CALLERS, map(int, row.expected.split()), strict=True))


def test_every_route_has_a_row() -> None:
    routes = {f"{route.method} {route.path.removeprefix('/api/v2')}" for route in ROUTES}
    rows = {row.route for row in ROWS}
    assert routes - rows == set(), "add a row to tests/contract/permissions.py"
    assert rows - routes == set()


def test_every_operation_succeeds_for_somebody_in_each_way_that_the_contract_lists() -> None:
    """What succeeds has the contract's shape: `status_of` looks at every answer."""
    seen = {(operation_of(row), int(status)) for row in ROWS for status in row.expected.split()}
    listed = {(id_, answer["status"]) for id_, route in ROUTES_OF_V2.items() for answer in route["responses"]}
    assert len({id_ for id_, _ in listed}) == 90
    assert listed - seen == {("POST /generate/rate/{id}", 200)}, "nothing can be rated (api.json: never 200)"
