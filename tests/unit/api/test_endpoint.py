"""What stands around a handler: order of checks, body limits, errors, masks, and what a call says about the caller."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from hordenode.api.endpoint import read_body
from hordenode.api.route import ApiSettings, Auth, Call, RawRoute, Reply, Route
from hordenode.api.router import Router
from hordenode.protocol.common import RequestCheck
from hordenode.protocol.errors import HordeError, PlainError
from hordenode.protocol.image import ImageRequest
from hordenode.protocol.status import ModelsQuery
from tests.unit.api.asgi import JSON, KEY, Heard, ask

LIMIT = 1000
CHECK = RequestCheck(
    finished=1,
    processing=0,
    restarted=0,
    waiting=0,
    done=True,
    faulted=False,
    wait_time=0,
    queue_position=0,
    kudos=1.0,
    is_possible=True,
)


async def accept(call: Call, body: ImageRequest) -> object:
    return Reply(202, {"prompt": body.prompt}, (("X-Extra", "1"),))


async def who(call: Call, body: object) -> object:
    return {
        "apikey": call.apikey,
        "agent": call.client_agent,
        "ip": call.client_ip,
        "base": call.base_url,
        "type": call.query.type,
    }


async def check(call: Call, body: object) -> RequestCheck:
    return CHECK


async def checks(call: Call, body: object) -> list[RequestCheck]:
    return [CHECK, CHECK]


async def refuse(call: Call, body: object) -> object:
    raise HordeError("RequestNotFound", id="x")


async def busy(call: Call, body: object) -> object:
    raise PlainError(503, "busy", retry_after=7)


async def crash(call: Call, body: object) -> object:
    raise RuntimeError("the secret detail")


async def unencodable(call: Call, body: object) -> object:
    return {"x": object()}


async def raw_body(call: Call, scope: Scope, receive: Receive, send: Send) -> None:
    await read_body(receive, dict(scope["headers"]), LIMIT)
    raise HordeError("Locked")


async def raw_crash(call: Call, scope: Scope, receive: Receive, send: Send) -> None:
    if "late" in call.path_params["when"]:
        await send({"type": "http.response.start", "status": 200, "headers": []})
    raise RuntimeError("the secret detail")


def app(**settings: Any) -> Router:
    routes: list[Route | RawRoute] = [
        Route("POST", "/async", accept, body=ImageRequest, auth=Auth.KEY, query=ModelsQuery),
        Route("GET", "/who", who, query=ModelsQuery),
        Route("GET", "/check", check),
        Route("GET", "/checks", checks),
        Route("GET", "/refuse", refuse),
        Route("GET", "/busy", busy),
        Route("GET", "/crash", crash),
        Route("GET", "/unencodable", unencodable),
        RawRoute("POST", "/raw", raw_body),
        RawRoute("GET", "/raw/{when}", raw_crash),
    ]
    return Router(routes, None, ApiSettings(node_name="n:1:1", max_body=LIMIT, **settings))


APP = app()
GOOD = b'{"prompt": "a"}'


def post(body: bytes | list[bytes], **headers: str) -> Heard:
    return ask(APP, "POST", "/async", headers={**JSON, **KEY, **headers}, body=body)


def test_a_good_request_reaches_the_handler() -> None:
    heard = post(GOOD)
    assert (heard.status, heard.json) == (202, {"prompt": "a"})
    assert heard.headers["content-type"] == "application/json; charset=utf-8"
    assert heard.headers["content-length"] == str(len(heard.body))
    assert heard.headers["x-extra"] == "1"


def test_a_body_in_pieces_is_put_together() -> None:
    assert post([b'{"pro', b"", b'mpt": "a"', b"}"]).status == 202


def test_a_bad_body_beats_a_missing_key_which_beats_a_bad_query() -> None:
    both = ask(APP, "POST", "/async?min_count=x", headers=JSON, body=b"{}")
    assert (both.status, list(both.json["errors"])) == (400, ["prompt"])
    no_key = ask(APP, "POST", "/async?min_count=x", headers=JSON, body=GOOD)
    assert (no_key.status, list(no_key.json["errors"])) == (400, ["apikey"])
    assert "rc" not in no_key.json
    query = ask(APP, "POST", "/async?min_count=x", headers={**JSON, **KEY}, body=GOOD)
    assert (query.status, list(query.json["errors"])) == (400, ["min_count"])


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
def test_another_content_type_is_a_plain_400(kind: str) -> None:
    heard = post(GOOD, **{"Content-Type": kind})
    assert heard.status == 400
    assert list(heard.json) == ["message"]


@pytest.mark.parametrize("kind", ["application/json;charset=utf-8", "Application/JSON", "application/ld+json"])
def test_json_content_types_are_accepted(kind: str) -> None:
    assert post(GOOD, **{"Content-Type": kind}).status == 202


def test_a_body_over_the_limit_is_a_plain_413() -> None:
    fits = b'{"prompt": "%s"}' % (b"a" * (LIMIT - 14))
    assert len(fits) == LIMIT
    assert post(fits).status == 202
    half = len(fits) // 2
    announced = {"Content-Length": str(LIMIT + 1)}
    absurd = {"Content-Length": "9" * 5000}
    for heard in (
        post(fits + b" "),
        post([fits[:half], fits[half:], b" "]),
        post(GOOD, **announced),
        post(GOOD, **absurd),
    ):
        assert heard.status == 413
        assert list(heard.json) == ["message"]
        assert heard.headers["access-control-allow-origin"] == "*"


def test_a_caller_who_hangs_up_gets_no_answer_and_no_handler() -> None:
    assert ask(APP, "POST", "/async", headers={**JSON, **KEY}, body=GOOD, hang_up=True).status == 0
    assert ask(APP, "POST", "/raw", headers=JSON, body=GOOD, hang_up=True).status == 0


def test_refusals_and_overload_are_rendered() -> None:
    refused = ask(APP, "GET", "/refuse")
    assert (refused.status, refused.json["rc"]) == (404, "RequestNotFound")
    overloaded = ask(APP, "GET", "/busy")
    assert (overloaded.status, overloaded.json, overloaded.headers["retry-after"]) == (503, {"message": "busy"}, "7")


@pytest.mark.parametrize("path", ["/crash", "/unencodable", "/raw/early"])
def test_a_crash_is_logged_and_says_nothing_of_its_cause(path: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "hordenode.api"):
        heard = ask(APP, "GET", path)
    assert heard.status == 500
    assert list(heard.json) == ["message"]
    assert b"secret" not in heard.body
    assert heard.headers["access-control-allow-origin"] == "*"
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_a_raw_route_that_fails_halfway_leaves_the_connection_to_the_server() -> None:
    with pytest.raises(RuntimeError):
        ask(APP, "GET", "/raw/late")


def test_raw_routes_may_raise_refusals_too() -> None:
    heard = ask(APP, "POST", "/raw", headers=JSON, body=GOOD)
    assert (heard.status, heard.json["rc"]) == (423, "Locked")


def test_a_mask_keeps_the_named_fields_of_an_object_and_of_each_in_a_list() -> None:
    assert ask(APP, "GET", "/check", headers={"X-Fields": "done, kudos,nonsense"}).json == {"done": True, "kudos": 1.0}
    assert ask(APP, "GET", "/checks", headers={"X-Fields": "{done}"}).json == [{"done": True}] * 2
    assert ask(APP, "GET", "/check", headers={"X-Fields": ""}).json["finished"] == 1


def test_a_bad_mask_is_a_plain_400_and_errors_are_not_masked() -> None:
    for mask in ("a{", "done{x}"):
        heard = ask(APP, "GET", "/check", headers={"X-Fields": mask})
        assert (heard.status, list(heard.json)) == (400, ["message"])
    assert ask(APP, "GET", "/refuse", headers={"X-Fields": "done"}).json["rc"] == "RequestNotFound"


def told(router: Router = APP, headers: dict[str, str] | None = None, **scope: Any) -> dict[str, Any]:
    value = json.loads(ask(router, "GET", "/who?type=text", headers=headers, **scope).body)
    assert isinstance(value, dict)
    return value


def test_a_call_carries_key_agent_query_and_address() -> None:
    headers = {"apikey": "k" * 22, "Client-Agent": "app:1:me", "Host": "lan.local:7001"}
    assert told(headers=headers) == {
        "apikey": "k" * 22,
        "agent": "app:1:me",
        "ip": "10.9.8.7",
        "base": "http://lan.local:7001",
        "type": "text",
    }
    bare = told(client=None)
    assert (bare["apikey"], bare["agent"], bare["ip"]) == (None, "unknown:0:unknown", "127.0.0.1")


def test_forwarded_headers_count_only_from_trusted_proxies() -> None:
    headers = {"X-Forwarded-For": "1.1.1.1, 2.2.2.2", "X-Forwarded-Proto": "https", "Host": "horde.example"}
    trusting = app(trusted_proxies=("10.9.0.0/16", "::1"))
    assert told(headers=headers)["ip"] == "10.9.8.7"
    assert told(headers=headers)["base"] == "http://horde.example"
    assert told(trusting, headers)["ip"] == "2.2.2.2"
    assert told(trusting, headers)["base"] == "https://horde.example"
    assert told(trusting, headers, client=("11.0.0.1", 1))["ip"] == "11.0.0.1"
    assert told(trusting, headers, client=("::1", 1))["ip"] == "2.2.2.2"
    assert told(trusting, headers, client=("testclient", 1))["ip"] == "testclient"
    assert told(trusting, {"X-Forwarded-For": "nonsense"})["ip"] == "10.9.8.7"


@pytest.mark.parametrize("host", ["", "a b", "evil/path", "x:123456", "[zz]", "a@b", "a?b"])
def test_a_host_header_that_is_none_does_not_get_into_urls(host: str) -> None:
    assert told(headers={"Host": host})["base"] == "http://node:7001"


def test_the_base_url_knows_ipv6_mounts_and_the_configured_address() -> None:
    assert told(headers={"Host": "[::1]:80"})["base"] == "http://[::1]:80"
    assert told(headers={"Host": "h"}, server=None)["base"] == "http://h"
    assert told(server=("/run/horde.sock", None))["base"] == "http://localhost"
    assert told(server=("::1", 80))["base"] == "http://[::1]:80"
    mounted = json.loads(ask(APP, "GET", "/m/who?type=text", headers={"Host": "h"}, root_path="/m").body)
    assert mounted["base"] == "http://h/m"
    assert told(app(public_url="https://horde.example/"), {"Host": "h"})["base"] == "https://horde.example"
