"""Which endpoint a path and a method find, and what stands on every answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.types import Message, Receive, Scope, Send

from hordenode.api.route import ApiSettings, Call, RawRoute, Route
from hordenode.api.router import Router
from tests.contract.schema import API, ROUTES
from tests.unit.api.asgi import ask

SETTINGS = ApiSettings(node_name="node:7001:1.2.3")


async def echo(call: Call, body: object) -> object:
    return {"method": call.method, "params": call.path_params, "services": call.services}


async def file(call: Call, scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(f"file {call.path_params['key']}")(scope, receive, send)


def router(*routes: Route | RawRoute) -> Router:
    return Router(routes, "services", SETTINGS)


APP = router(
    Route("GET", "/api/v2/workers", echo),
    Route("GET", "/api/v2/workers/messages", echo),
    Route("GET", "/api/v2/workers/{worker_id}", echo),
    Route("DELETE", "/api/v2/workers/{worker_id}", echo),
    Route("GET", "/api/v2/workers/name/{worker_name}", echo),
    Route("GET", "/api/v2/status/models/{model_name:path}", echo),
    Route("POST", "/api/v2/generate/async", echo),
    Route("PATCH", "/api/v2/styles/image/{style_id}/example/{example_id}", echo),
    RawRoute("GET", "/blobs/{bucket}/{key}", file),
)


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/api/v2/workers", {}),
        ("/api/v2/workers/", {}),
        ("//api//v2/workers", {}),
        ("/api/v2/workers/messages", {}),
        ("/api/v2/workers/abc", {"worker_id": "abc"}),
        ("/api/v2//workers//abc/", {"worker_id": "abc"}),
        ("/api/v2/workers/name/My%20Worker", {"worker_name": "My Worker"}),
        ("/api/v2/status/models/org/model", {"model_name": "org/model"}),
        ("/api/v2/status/models/org%2Fmodel", {"model_name": "org/model"}),
        ("/api/v2/status/models/org%252Fmodel", {"model_name": "org/model"}),
        ("/api/v2/status/models/plain", {"model_name": "plain"}),
    ],
)
def test_a_path_finds_its_endpoint_and_parameters(path: str, params: dict[str, str]) -> None:
    heard = ask(APP, "GET", path)
    assert heard.status == 200
    assert heard.json == {"method": "GET", "params": params, "services": "services"}


def test_several_parameters_in_one_path() -> None:
    heard = ask(APP, "PATCH", "/api/v2/styles/image/a/example/b")
    assert heard.json["params"] == {"style_id": "a", "example_id": "b"}


@pytest.mark.parametrize(
    "path", ["/", "/api/v2", "/api/v2/worker", "/api/v2/workers/a/b", "/api/v2/workers/name/", "", "x"]
)
def test_an_unknown_path_is_a_json_404(path: str) -> None:
    # workers/name/ is the worker with the id "name": a slash at the end never counts.
    heard = ask(APP, "POST", path)
    assert heard.status == (405 if path.endswith("/name/") else 404)
    assert list(heard.json) == ["message"]
    assert heard.headers["access-control-allow-origin"] == "*"


def test_a_known_path_with_another_method_is_a_json_405_that_says_what_is_allowed() -> None:
    heard = ask(APP, "PUT", "/api/v2/workers/abc")
    assert heard.status == 405
    assert list(heard.json) == ["message"]
    assert heard.headers["allow"] == "DELETE, GET, HEAD, OPTIONS"


def test_head_works_where_get_does() -> None:
    heard, full = ask(APP, "HEAD", "/api/v2/workers/abc"), ask(APP, "GET", "/api/v2/workers/abc")
    assert (heard.status, heard.body) == (200, b"")
    assert int(heard.headers["content-length"]) == len(full.body) + 1  # the echo says HEAD, not GET
    assert ask(APP, "HEAD", "/api/v2/generate/async").status == 405


def test_head_may_have_a_route_of_its_own() -> None:
    async def own(call: Call, scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("", headers={"X-Own": "1"})(scope, receive, send)

    app = router(RawRoute("GET", "/blobs/{bucket}/{key}", file), RawRoute("HEAD", "/blobs/{bucket}/{key}", own))
    assert ask(app, "HEAD", "/blobs/a/b").headers["x-own"] == "1"
    assert "x-own" not in ask(app, "GET", "/blobs/a/b").headers


def test_options_answers_any_known_path_with_the_contracts_cors_headers() -> None:
    heard = ask(APP, "OPTIONS", "/api/v2/generate/async", headers={"Origin": "https://x"})
    assert (heard.status, heard.body) == (200, b"")
    cors = API["common"]["cors_response_headers"]
    assert heard.headers["access-control-allow-origin"] == cors["Access-Control-Allow-Origin"]
    assert heard.headers["access-control-allow-methods"] == cors["Access-Control-Allow-Methods"]
    assert heard.headers["access-control-allow-headers"].split(", ") == cors["Access-Control-Allow-Headers"]
    assert "access-control-allow-private-network" not in heard.headers
    assert ask(APP, "OPTIONS", "/nowhere").status == 404


def test_a_preflight_that_asks_for_the_local_network_gets_it() -> None:
    headers = {"Access-Control-Request-Private-Network": "true"}
    heard = ask(APP, "OPTIONS", "/api/v2/workers", headers=headers)
    assert heard.headers["access-control-allow-private-network"] == "true"


def test_every_answer_names_the_node() -> None:
    for method, path in (
        ("GET", "/api/v2/workers"),
        ("GET", "/x"),
        ("OPTIONS", "/api/v2/workers"),
        ("GET", "/blobs/a/b"),
    ):
        assert ask(APP, method, path).headers["horde-node"] == "node:7001:1.2.3"


def test_raw_routes_get_the_cors_headers_and_their_parameters() -> None:
    heard = ask(APP, "GET", "/blobs/source/cat.webp")
    assert heard.body == b"file cat.webp"
    assert heard.headers["access-control-allow-origin"] == "*"
    assert heard.headers["content-type"].startswith("text/plain")


def test_the_app_can_be_mounted_in_another_one() -> None:
    outer = Starlette(routes=[Mount("/horde", APP)])
    assert ask(outer, "GET", "/horde/api/v2/workers/abc").json["params"] == {"worker_id": "abc"}
    assert ask(outer, "GET", "/horde/api/v2/nothing").status == 404


def test_a_route_declared_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="GET /a is declared twice"):
        router(Route("GET", "/a", echo), Route("GET", "/a", echo))
    with pytest.raises(ValueError, match="names its parameter differently"):
        router(Route("GET", "/a/{x}", echo), Route("PUT", "/a/{y}", echo))


def test_all_paths_of_the_contract_can_be_routed_at_once() -> None:
    app = router(*(Route(route["method"], route["path"], echo) for route in ROUTES.values()))
    for route in ROUTES.values():
        path = route["path"]
        for name in route["path_params"]:
            path = path.replace(f"{{{name}}}", f"<{name}>")
        heard = ask(app, route["method"], path)
        assert heard.json["params"] == {name: f"<{name}>" for name in route["path_params"]}


def converse(scope_type: str, incoming: list[Message]) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        await APP({"type": scope_type}, receive, send)

    asyncio.run(run())
    return sent


def test_a_server_that_announces_start_and_stop_is_acknowledged() -> None:
    sent: list[Any] = converse("lifespan", [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_web_sockets_are_closed() -> None:
    assert converse("websocket", [])[0]["type"] == "websocket.close"
