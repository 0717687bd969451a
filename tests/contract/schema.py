"""The published API as JSON Schema: does an answer, or a request, have the shape that api.json says?"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

API: dict[str, Any] = json.loads((Path(__file__).parent / "api.json").read_text(encoding="utf-8"))
ROUTES: dict[str, dict[str, Any]] = {route["id"]: route for route in API["routes"]}


def validate(route_id: str, status: int, body: Any) -> None:
    """Raises AssertionError when body (decoded JSON) is not what the route answers with this status.

    route_id: as in api.json, `POST /generate/async`. For an error status the route, the rules for all routes or the
    validation error must allow it, and an rc must be one that the table sends with that status.
    """
    schemas = [answer["schema"] for answer in ROUTES[route_id]["responses"] if answer["status"] == status]
    if not schemas:
        _validate_error(route_id, status, body)
        return
    problems = [problem for schema in schemas for problem in _problems(json.dumps(schema), body)]
    if len(schemas) > 1:  # one of several will do
        problems = [] if any(not _problems(json.dumps(schema), body) for schema in schemas) else problems
    assert not problems, f"{route_id} {status}: {'; '.join(problems)}\n{json.dumps(body)[:2000]}"


def validate_named(name: str, body: Any) -> None:
    """Raises AssertionError when body does not fit the definition `name` of api.json."""
    problems = problems_of(name, body)
    assert not problems, f"{name}: {'; '.join(problems)}\n{json.dumps(body)[:2000]}"


def problems_of(name: str, body: Any) -> list[str]:
    return _problems(json.dumps({"$ref": f"#/$defs/{name}"}), body)


@cache
def validator(schema: str) -> Draft202012Validator:
    """The validator of a schema given as JSON text, with the definitions of api.json."""
    return Draft202012Validator({**json.loads(schema), "$defs": API["$defs"]})


def _problems(schema: str, body: Any) -> list[str]:
    return [f"{error.json_path}: {error.message[:200]}" for error in validator(schema).iter_errors(body)]


def _validate_error(route_id: str, status: int, body: Any) -> None:
    assert isinstance(body, dict), f"{route_id} {status}: an error must be an object, not {body!r:.200}"
    if "rc" in body:
        validate_named("RequestError", body)
        assert "errors" not in body, "errors belongs to validation errors, which have no rc"
        known = API["rc"].get(body["rc"])
        assert known, f"{route_id}: {body['rc']} is not in the rc table"
        assert status in known["status"], f"{route_id}: {body['rc']} with {status}"
    elif "errors" in body:
        validate_named("ValidationError", body)
        assert status == 400, f"{route_id}: validation error with {status}"
    else:
        validate_named("PlainError", body)
        assert status in {400, 404, 405, 413, 429, 500, 503}, f"{route_id}: {status} without rc"
