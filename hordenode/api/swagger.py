"""The same description as Swagger 2, which older generators read: derived from the OpenAPI document.

Definitions have the names under which the public API publishes them, so that generated clients keep their class names.
"""

from __future__ import annotations

from typing import Any

from hordenode.api.openapi import ERROR, PREFIX, SCHEMAS, Document

BASE_PATH = "/api"
_PUBLISHED = """
    ImageRequest GenerationInputStable | ImageParams ModelGenerationInputStable | ImageStatus RequestStatusStable
    ImageGeneration GenerationStable | ImagePop PopInputStable | ImageJob GenerationPayloadStable
    ImageJobPayload ModelPayloadStable | ImageSkipped NoValidRequestFoundStable | ImageSubmit SubmitInputStable
    TextRequest GenerationInputKobold | TextParams ModelGenerationInputKobold | TextStatus RequestStatusKobold
    TextGeneration GenerationKobold | TextPop PopInputKobold | TextJob GenerationPayloadKobold
    TextJobPayload ModelPayloadKobold | TextSkipped NoValidRequestFoundKobold | TextSubmit SubmitInputKobold
    RequestAccepted RequestAsync | RequestCheck RequestStatusCheck | SubmitAnswer GenerationSubmitted
    GenMetadata GenerationMetadataStable | Warning_ RequestSingleWarning | Performance HordePerformance
    Heartbeat HordeHeartbeat | LoraRef ModelPayloadLorasStable | TextualInversionRef ModelPayloadTextualInversionsStable
    ImageStyle StyleStable | TextStyle StyleKobold | ImageStyleInput ModelStyleInputStable
    TextStyleInput ModelStyleInputKobold | StyleModified StyleModify | TeamRef TeamDetailsLite
    CollectionDetails ResponseModelCollection | CollectionInput InputModelCollection | Ok SimpleResponse
    Error RequestError
"""
PUBLISHED: dict[str, str] = dict(pair.split() for line in _PUBLISHED.strip().splitlines() for pair in line.split("|"))
_DROPPED = {"title", "const"}


def swagger(document: Document) -> Document:
    """An OpenAPI document of openapi.py as Swagger 2; only operations of the v2 API."""
    paths = {
        path.removeprefix(BASE_PATH): {method: _operation(operation) for method, operation in item.items()}
        for path, item in document["paths"].items()
        if path.startswith(PREFIX)
    }
    components = document["components"]
    return {
        "swagger": "2.0",
        "info": document["info"],
        "basePath": BASE_PATH,
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "paths": paths,
        "definitions": {published(name): _schema(schema) for name, schema in components["schemas"].items()},
        "securityDefinitions": components["securitySchemes"],
        "responses": {ERROR: _response({"$ref": SCHEMAS + ERROR}, "Refused.")},
    }


def published(name: str) -> str:
    """The public API's name of a type, or ours where it has none."""
    return PUBLISHED.get(name, name)


def _operation(operation: Document) -> Document:
    made = {name: value for name, value in operation.items() if name not in ("requestBody", "responses", "parameters")}
    made["parameters"] = [_parameter(parameter) for parameter in operation["parameters"]]
    if "requestBody" in operation:
        schema = _schema(_content(operation["requestBody"]))
        made["parameters"].append({"name": "payload", "in": "body", "required": True, "schema": schema})
    made["responses"] = {
        status: {"$ref": f"#/responses/{ERROR}"}
        if status == "default"
        else _response(_content(answer), answer["description"])
        for status, answer in operation["responses"].items()
    }
    if {} in made["security"]:  # Swagger 2 cannot say that a key is optional
        del made["security"]
    return made


def _content(part: Document) -> Document:
    schema: Document = part["content"]["application/json"]["schema"]
    return schema


def _response(schema: Document, description: str) -> Document:
    return {"description": description, "schema": _schema(schema)}


def _parameter(parameter: Document) -> Document:
    made = {name: value for name, value in parameter.items() if name != "schema"}
    schema: Document = _schema(parameter["schema"])
    return made | {"required": made.get("required", False)} | schema


def _schema(schema: Any) -> Any:
    """A JSON Schema in the dialect of Swagger 2: null is an extension, a choice of types is any of them."""
    if isinstance(schema, list):
        return [_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": "#/definitions/" + published(schema["$ref"].removeprefix(SCHEMAS))}
    made = {name: _schema(value) for name, value in schema.items() if name not in ("anyOf", "const", "properties")}
    if "properties" in schema:
        made["properties"] = {name: _schema(value) for name, value in schema["properties"].items()}
    if "const" in schema:
        made["enum"] = [schema["const"]]
    if "enum" in made:
        made.setdefault("type", "string")
    return made | _choice(schema.get("anyOf", []))


def _choice(members: list[Document]) -> Document:
    kinds = [member for member in members if member != {"type": "null"}]
    made: Document = _schema(kinds[0]) if len(kinds) == 1 else {}
    return made | {"x-nullable": True} if len(kinds) < len(members) and "$ref" not in made else made
