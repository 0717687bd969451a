"""What the API says about itself: valid documents with every operation in them, and a page that needs nothing else."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV2SpecValidator, OpenAPIV31SpecValidator

from hordenode.api.handlers.description import document
from hordenode.api.openapi import plain_path
from hordenode.api.page import page
from hordenode.api.route import ApiSettings, Auth, Route
from hordenode.api.router import Router
from hordenode.api.routes import ROUTES
from hordenode.api.swagger import PUBLISHED, swagger
from hordenode.protocol.errors import ERRORS
from tests.unit.api.asgi import Heard, ask

DESCRIBED = [route for route in ROUTES if isinstance(route, Route) and route.answers]


def get(path: str, method: str = "GET", **headers: str) -> Heard:
    return ask(Router(ROUTES, None, ApiSettings("test:7001:0")), method, path, headers=headers)


def test_both_documents_are_valid() -> None:
    openapi = get("/api/openapi.json").json
    assert openapi["openapi"] == "3.1.0"
    assert [str(error) for error in OpenAPIV31SpecValidator(openapi).iter_errors()] == []
    old = get("/api/swagger.json").json
    assert (old["swagger"], old["basePath"]) == ("2.0", "/api")
    assert [str(error) for error in OpenAPIV2SpecValidator(old).iter_errors()] == []


@pytest.mark.parametrize("route", DESCRIBED, ids=lambda route: f"{route.method} {route.path}")
def test_every_operation_is_described(route: Route) -> None:
    operation = document()["paths"][plain_path(route.path)][route.method.lower()]
    assert operation["security"] == ([{"apikey": []}] if route.auth is Auth.KEY else [{}, {"apikey": []}])
    assert ("requestBody" in operation) == (route.body is not None)
    assert {"default", str(route.status)} <= set(operation["responses"])
    placed = {parameter["name"]: parameter["in"] for parameter in operation["parameters"]}
    assert [name for name, place in placed.items() if place == "path"] == re.findall(r"\{(\w+)", route.path)
    if route.query is not None:
        assert {name for name, place in placed.items() if place == "query"} == set(route.query.__struct_fields__)


def test_operations_have_different_names() -> None:
    names = [operation["operationId"] for item in document()["paths"].values() for operation in item.values()]
    assert len(set(names)) == len(names) == len(DESCRIBED)


def test_schemas_say_what_the_types_say() -> None:
    schemas = document()["components"]["schemas"]
    params = schemas["ImageParams"]["properties"]
    assert params["width"] == {"type": "integer", "minimum": 64, "maximum": 3072, "multipleOf": 64}
    assert params["post_processing"]["uniqueItems"] is True
    assert schemas["ImageRequest"]["required"] == ["prompt"]
    assert {"id", "payload", "r2_uploads"} <= set(schemas["ImageJob"]["required"])
    assert "message" not in schemas["RequestAccepted"]["required"]
    assert schemas["Error"]["properties"]["rc"]["enum"] == sorted(ERRORS)


def test_descriptions_speak_to_users_of_the_api() -> None:
    assert not re.search(r"behaviour\.md|worker_protocol|clients\.md", json.dumps(document()))


def test_the_old_document_uses_the_public_names_and_has_all_v2_operations() -> None:
    old = swagger(document())
    assert {"GenerationInputStable", "RequestStatusKobold", "HordePerformance"} <= set(old["definitions"])
    assert not set(PUBLISHED) & set(old["definitions"])
    expected = {plain_path(route.path).removeprefix("/api") for route in DESCRIBED if route.path.startswith("/api/v2")}
    assert set(old["paths"]) == expected
    assert old["definitions"]["GenerationPayloadStable"]["properties"]["id"] == {"type": "string", "x-nullable": True}


def test_x_fields_works_on_the_documents() -> None:
    assert get("/api/openapi.json", **{"X-Fields": "info{version}"}).json == {"info": {"version": "2.5"}}


class Links(HTMLParser):
    """What a page refers to, and the places that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found: dict[str, Any] = dict(attrs)
        assert tag not in ("script", "link", "img", "iframe")
        self.targets += [found["href"]] if "href" in found else []
        self.ids |= {found["id"]} if "id" in found else set()


@pytest.mark.parametrize("path", ["/api", "/api/"])
def test_the_page_needs_no_outside_files_and_its_links_lead_somewhere(path: str) -> None:
    answer = get(path)
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    links = Links(answer.body.decode())
    assert {link for link in links.targets if not link.startswith("#")} == {"/api/openapi.json", "/api/swagger.json"}
    assert {link[1:] for link in links.targets if link.startswith("#")} <= links.ids
    text = answer.body.decode()
    assert [route.path for route in DESCRIBED if plain_path(route.path) not in text] == []
    assert [rc for rc in ERRORS if rc not in text] == []


def test_the_page_escapes_what_it_shows() -> None:
    odd = {"info": {"title": "<b>", "version": "1", "description": "&"}, "paths": {}, "components": {"schemas": {}}}
    assert "<h1>&lt;b&gt; 1</h1><p>&amp;</p>" in page(odd)


def test_head_answers_as_get_without_a_body() -> None:
    for path in ("/api", "/api/openapi.json"):
        full, head = get(path), get(path, "HEAD")
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == full.headers["content-length"]
