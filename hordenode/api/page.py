"""The API described for people: one HTML page made of the OpenAPI document, without scripts and outside files."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from hordenode.api.openapi import SCHEMAS, Document
from hordenode.protocol.errors import ERRORS

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
code { font-family: ui-monospace, monospace; }
summary { cursor: pointer; padding: .2rem 0; }
.method { display: inline-block; width: 5rem; font-weight: bold; }
table { border-collapse: collapse; margin: .5rem 0; }
td, th { border: 1px solid #ccc; padding: .2rem .5rem; text-align: left; vertical-align: top; }
@media (prefers-color-scheme: dark) { body { background: #181818; color: #ddd; } a { color: #9cf; } }
"""


def page(document: Document) -> str:
    """The whole page as HTML text."""
    info = document["info"]
    body = "".join(
        [
            f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])}</p>",
            '<p>For programs: <a href="/api/openapi.json">OpenAPI 3.1</a>, <a href="/api/swagger.json">Swagger 2</a>.</p>',
            "<h2>Operations</h2>",
            *_operations(document["paths"]),
            "<h2>Types</h2>",
            *(_type(name, schema) for name, schema in sorted(document["components"]["schemas"].items())),
            "<h2>Error codes</h2>",
            _error_codes(),
        ]
    )
    title = escape(info["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>{body}</body></html>'
    )


def _operations(paths: Document) -> Iterable[str]:
    """All operations, those of one tag together."""
    groups: dict[str, list[str]] = {}
    for path, item in paths.items():
        for method, operation in item.items():
            groups.setdefault(operation["tags"][0], []).append(_operation(method, path, operation))
    for tag, operations in groups.items():
        yield f"<h3>{escape(tag)}</h3>" + "".join(operations)


def _operation(method: str, path: str, operation: Document) -> str:
    key = "needed" if operation["security"] == [{"apikey": []}] else "optional"
    rows = [
        (parameter["name"], f"{_kind(parameter['schema'])} in the {parameter['in']}", parameter.get("description", ""))
        for parameter in operation["parameters"]
    ]
    parts = [f"<p>apikey: {key}.</p>", _table(("parameter", "what", ""), rows)]
    if "requestBody" in operation:
        parts.append(f"<p>Body: {_kind(operation['requestBody']['content']['application/json']['schema'])}.</p>")
    for status, answer in operation["responses"].items():
        schema = answer["content"]["application/json"]["schema"]
        parts.append(f"<p>{escape(status)}: {_kind(schema) or 'JSON'}. {escape(answer['description'])}</p>")
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><span class="method">{method.upper()}</span>'
        f"<code>{escape(path)}</code> {escape(operation['summary'])}</summary>{''.join(parts)}</details>"
    )


def _type(name: str, schema: Document) -> str:
    required = schema.get("required", ())
    rows = [
        (member, _kind(inner), "always" if member in required else "")
        for member, inner in schema.get("properties", {}).items()
    ]
    return (
        f'<details id="type-{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"<p>{escape(schema.get('description', ''))}</p>{_table(('field', 'type', ''), rows)}</details>"
    )


def _kind(schema: Document) -> str:
    """A schema in few words of HTML, types as links."""
    if "$ref" in schema:
        name = escape(schema["$ref"].removeprefix(SCHEMAS))
        return f'<a href="#type-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(member) for member in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join(escape(str(value)) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    bounds = [f"{words} {schema[bound]}" for bound, words in _BOUNDS.items() if bound in schema]
    return escape(", ".join([str(schema.get("type", "")), *bounds]))


_BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "multipleOf": "multiple of",
    "minLength": "characters at least",
    "maxLength": "characters at most",
    "default": "usually",
}


def _error_codes() -> str:
    rows = [(rc, ", ".join(map(str, code.statuses)), escape(code.explanation)) for rc, code in sorted(ERRORS.items())]
    return _table(("rc", "status", "when"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    """Cells are HTML."""
    lines = ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    if not lines:
        return ""
    titles = "".join(f"<th>{title}</th>" for title in head)
    return f"<table><tr>{titles}</tr>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"
