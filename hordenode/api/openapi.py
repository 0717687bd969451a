"""The API described for programs: OpenAPI 3.1, generated from the route table and the wire types.

Nothing is written twice: paths, keys and statuses come from the rows of routes.py, schemas from the types that decode
and encode (msgspec speaks JSON Schema), error codes from the rc table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import msgspec
from msgspec import inspect

from hordenode.api.route import Auth, Route
from hordenode.protocol.errors import ERRORS
from hordenode.protocol.wire import Answer
from hordenode.version import __version__

Document = dict[str, Any]

TITLE = "AI Horde API"
API_VERSION = "2.5"
PREFIX = "/api/v2"
SCHEMAS = "#/components/schemas/"
ERROR = "Error"
_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")
_SOURCE = re.compile(r"\s*\((?:behaviour|contract|clients|worker_protocol)[^()]*\)")


def openapi(routes: Iterable[Route]) -> Document:
    """The document; its paths start at the root of the node."""
    rows = list(routes)
    schemas = Schemas(rows)
    paths: Document = {}
    for route in rows:
        paths.setdefault(plain_path(route.path), {})[route.method.lower()] = _operation(route, schemas)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": TITLE,
            "version": API_VERSION,
            "description": f"This horde is a hordenode {__version__}. Its anonymous user has the apikey 0000000000.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas.definitions,
            "securitySchemes": {"apikey": {"type": "apiKey", "in": "header", "name": "apikey"}},
        },
    }
    made: Document = msgspec.json.decode(msgspec.json.encode(document))  # defaults that are tuples are arrays
    return made


class Schemas:
    """The JSON Schemas of all types that the routes take and answer, with references between them."""

    def __init__(self, routes: Iterable[Route]) -> None:
        types = list(dict.fromkeys(kind for route in routes for kind in _types(route)))
        made, components = msgspec.json.schema_components(types, ref_template=SCHEMAS + "{name}")
        self._schemas: dict[Any, Document] = dict(zip(types, made, strict=True))
        structs = {kind.__name__: kind for kind in _structs(types)}
        self.definitions = {name: _polished(schema, structs[name]) for name, schema in components.items()}
        self.definitions[ERROR] = _error_schema()

    def of(self, kind: Any) -> Document:
        """The schema of a type; of a struct a reference."""
        return self._schemas[kind]


def plain_path(path: str) -> str:
    """A path of the route table as OpenAPI writes it."""
    return _PARAMETER.sub(r"{\1}", path)


def _types(route: Route) -> tuple[Any, ...]:
    return route.answers if route.body is None else (route.body, *route.answers)


def _structs(types: Iterable[Any]) -> Iterator[type[msgspec.Struct]]:
    """All structs in these types, at any depth."""
    seen: set[type] = set()
    pending: list[Any] = [inspect.type_info(kind) for kind in types]
    while pending:
        info = pending.pop()
        if isinstance(info, inspect.StructType):
            if info.cls in seen:
                continue
            seen.add(info.cls)
            yield info.cls
        pending.extend(_parts(info))


def _parts(info: Any) -> Iterator[Any]:
    """The types that a type is made of."""
    match info:
        case inspect.StructType():
            yield from (field.type for field in info.fields)
        case inspect.UnionType():
            yield from info.types
        case inspect.Metadata():
            yield info.type
        case inspect.VarTupleType() | inspect.ListType():
            yield info.item_type
        case inspect.DictType():
            yield info.value_type


def _polished(schema: Document, kind: type[msgspec.Struct]) -> Document:
    """Plain words in the description; in answers every field that is always sent is required and has no default."""
    made = dict(schema)
    if "description" in made:
        made["description"] = _SOURCE.sub("", " ".join(made["description"].split()))
    if issubclass(kind, Answer):
        fields = msgspec.structs.fields(kind)
        made["required"] = [field.encode_name for field in fields if field.default is not msgspec.UNSET]
        made["properties"] = {
            name: {word: value for word, value in member.items() if word != "default"}
            for name, member in made["properties"].items()
        }
    if not made.get("required"):
        made.pop("required", None)
    return made


def _error_schema() -> Document:
    """All three shapes of an error: a rule of the horde has an rc, a body that does not fit the schema has errors."""
    return {
        "title": ERROR,
        "description": "A refused request. message is for people; rc names the rule that was broken; errors has a "
        "text for each part of the request that does not fit its schema.",
        "type": "object",
        "properties": {
            "message": {"type": "string"},
            "rc": {"type": "string", "enum": sorted(ERRORS)},
            "errors": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        "required": ["message"],
    }


def _operation(route: Route, schemas: Schemas) -> Document:
    made: Document = {
        "tags": [plain_path(route.path).removeprefix(f"{PREFIX}/").partition("/")[0]],
        "operationId": operation_id(route),
        "summary": summary(route),
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_headers()],
        "responses": _responses(route, schemas),
        "security": [{"apikey": []}] if route.auth is Auth.KEY else [{}, {"apikey": []}],
    }
    if route.body is not None:
        made["requestBody"] = {"required": True, "content": _json(schemas.of(route.body))}
    return made


def operation_id(route: Route) -> str:
    """What generators call the operation: method and path in words."""
    return "_".join([route.method.lower(), *re.findall(r"\w+", plain_path(route.path).removeprefix(PREFIX))])


def summary(route: Route) -> str:
    """What the operation does, in the words of its handler's name."""
    handler: Any = route.handler.func if isinstance(route.handler, partial) else route.handler
    return str(handler.__name__).replace("_", " ").capitalize()


def _path_parameters(route: Route) -> list[Document]:
    names = [match[1] for match in _PARAMETER.finditer(route.path)]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(route: Route) -> list[Document]:
    if route.query is None:
        return []
    schema = msgspec.json.schema(route.query)["$defs"][route.query.__name__]
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": member}
        for name, member in schema["properties"].items()
    ]


def _headers() -> list[Document]:
    text = {"type": "string"}
    return [
        {"name": "Client-Agent", "in": "header", "schema": text, "description": "name:version:contact of the program"},
        {
            "name": "X-Fields",
            "in": "header",
            "schema": text,
            "description": "only these fields of the answer: a,b{c,d}",
        },
    ]


def _responses(route: Route, schemas: Schemas) -> Document:
    """The first answer goes with the route's status, others with 200 (a dry run)."""
    made: Document = {}
    for status, kind in zip((route.status, 200), route.answers, strict=False):
        made[str(status)] = {
            "description": "Done." if status == 200 else "Accepted.",
            "content": _json(schemas.of(kind)),
        }
    if not made:
        made[str(route.status)] = {"description": "Done.", "content": _json({})}
    made["default"] = {"description": "Refused.", "content": _json({"$ref": SCHEMAS + ERROR})}
    return made


def _json(schema: Document) -> Document:
    return {"application/json": {"schema": schema}}
