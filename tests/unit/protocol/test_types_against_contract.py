"""The types against api.json: same fields, and the same verdict and paths as a JSON Schema validator on bad bodies."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hordenode.protocol import (
    alchemy,
    common,
    filters,
    image,
    sharedkeys,
    statistics,
    status,
    styles,
    teams,
    text,
    users,
    workers,
)
from hordenode.protocol.decode import decode
from hordenode.protocol.errors import ValidationFailed
from hordenode.protocol.wire import Answer, Request
from tests.contract.schema import API, validator

DEFS = API["$defs"]
REQUESTS: dict[type[Request], str] = {
    image.ImageRequest: "ImageGenerateInput",
    image.ImageParams: "ImageParamsInput",
    image.LoraRef: "LoraInput",
    image.TextualInversionRef: "TextualInversionInput",
    image.ImagePop: "ImagePopInput",
    image.ImageSubmit: "ImageSubmitInput",
    common.ExtraSourceImage: "ExtraSourceImage",
    common.ExtraText: "ExtraText",
    common.ImageGenMetadata: "GenMetadataImageInput",
    common.TextGenMetadata: "GenMetadataTextInput",
    text.TextRequest: "TextGenerateInput",
    text.TextParams: "TextParamsInput",
    text.TextPop: "TextPopInput",
    text.TextSubmit: "TextSubmitInput",
    alchemy.AlchemyRequest: "AlchemyInput",
    alchemy.AlchemyForm: "AlchemyFormInput",
    alchemy.AlchemyPop: "AlchemyPopInput",
    alchemy.AlchemySubmit: "AlchemySubmitInput",
    users.UserModify: "UserModifyInput",
    workers.WorkerModify: "WorkerModifyInput",
    workers.WorkerMessageInput: "WorkerMessageInput",
    sharedkeys.SharedKeyInput: "SharedKeyInput",
    sharedkeys.SharedKeyPatch: "SharedKeyPatch",
    teams.TeamInput: "TeamInput",
    teams.TeamPatch: "TeamPatch",
    styles.ImageStyleInput: "ImageStyleInput",
    styles.ImageStylePatch: "ImageStylePatch",
    image.ImageStyleParams: "ImageStyleParams",
    styles.TextStyleInput: "TextStyleInput",
    styles.TextStylePatch: "TextStylePatch",
    text.TextStyleParams: "TextStyleParams",
    styles.StyleExampleInput: "StyleExampleInput",
    styles.StyleExamplePatch: "StyleExamplePatch",
    styles.CollectionInput: "CollectionInput",
    styles.CollectionPatch: "CollectionPatch",
    filters.FilterInput: "FilterInput",
    filters.FilterPatch: "FilterPatch",
    filters.FilterTest: "FilterTestInput",
}
ANSWERS: dict[type[msgspec.Struct], str] = {
    common.RequestAccepted: "RequestAsync",
    common.DryRunAnswer: "RequestAsyncDryRun",
    common.Warning_: "Warning",
    common.RequestCheck: "RequestStatusCheck",
    common.SubmitAnswer: "SubmitResponse",
    common.GenMetadata: "GenMetadata",
    common.WorkerMessage: "WorkerMessagePop",
    image.ImageGeneration: "ImageGeneration",
    image.ImageStatus: "ImageStatus",
    image.ImageJob: "ImageJob",
    image.ImageJobPayload: "ImageJobPayload",
    image.ImageSkipped: "ImageSkipped",
    text.TextGeneration: "TextGeneration",
    text.TextStatus: "TextStatus",
    text.TextJob: "TextJob",
    text.TextJobPayload: "TextJobPayload",
    text.TextSkipped: "TextSkipped",
    alchemy.AlchemyAccepted: "AlchemyAsync",
    alchemy.AlchemyStatus: "AlchemyStatus",
    alchemy.AlchemyFormStatus: "AlchemyFormStatus",
    alchemy.AlchemyJob: "AlchemyPopResponse",
    alchemy.AlchemyJobForm: "AlchemyPoppedForm",
    alchemy.AlchemySkipped: "AlchemySkipped",
    common.SimpleAnswer: "SimpleResponse",
    users.UserDetails: "UserDetails",
    users.UserListItem: "UserDetailsListItem",
    users.UserModified: "UserModified",
    workers.WorkerModified: "WorkerModified",
    workers.WorkerDeleted: "WorkerDeleted",
    sharedkeys.SharedKeyDetails: "SharedKeyDetails",
    teams.TeamDetails: "TeamDetails",
    teams.TeamModified: "TeamModified",
    teams.TeamDeleted: "TeamDeleted",
    teams.WorkerLite: "WorkerLite",
    users.UserKudosDetails: "UserKudosDetails",
    users.UserRecords: "UserRecords",
    workers.WorkerDetails: "WorkerDetails",
    workers.WorkerMessageDetails: "WorkerMessageFull",
    workers.TeamRef: "TeamLiteNullable",
    status.ActiveModel: "ActiveModel",
    status.Performance: "HordePerformance",
    status.Heartbeat: "Heartbeat",
    styles.ImageStyle: "ImageStyle",
    styles.TextStyle: "TextStyle",
    styles.StyleExample: "StyleExample",
    styles.StyleModified: "StyleModified",
    styles.CollectionDetails: "Collection",
    filters.FilterDetails: "FilterDetails",
    filters.PromptSuspicion: "PromptSuspicion",
    statistics.ImageTotals: "ImageStatsTotals",
    statistics.TextTotals: "TextStatsTotals",
    statistics.ModelTotals: "StatsModels",
}
EXTENSION = {"hordenode"}  # ours, absent unless a request uses it
BOTH = [*REQUESTS.items(), *ANSWERS.items()]


def wire_names(kind: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


@pytest.mark.parametrize(("kind", "name"), BOTH, ids=lambda item: getattr(item, "__name__", item))
def test_the_fields_are_those_of_the_contract(kind: type[msgspec.Struct], name: str) -> None:
    assert set(wire_names(kind)) - EXTENSION == set(DEFS[name]["properties"])


@pytest.mark.parametrize(("kind", "name"), REQUESTS.items(), ids=lambda item: getattr(item, "__name__", item))
def test_requests_require_what_the_contract_requires(kind: type[Request], name: str) -> None:
    assert {wire for wire, field in wire_names(kind).items() if field.required} == set(DEFS[name].get("required", ()))


@pytest.mark.parametrize(("kind", "name"), REQUESTS.items(), ids=lambda item: getattr(item, "__name__", item))
def test_defaults_are_the_effective_ones(kind: type[Request], name: str) -> None:
    for wire, facts in DEFS[name]["properties"].items():
        default = wire_names(kind)[wire].default
        if "x-default" in facts and default not in (msgspec.UNSET, msgspec.NODEFAULT):
            assert (list(default) if isinstance(default, tuple) else default) == facts["x-default"], wire


def optional(kind: type[msgspec.Struct]) -> set[str]:
    return {wire for wire, field in wire_names(kind).items() if field.default is msgspec.UNSET}


@pytest.mark.parametrize(("kind", "name"), ANSWERS.items(), ids=lambda item: getattr(item, "__name__", item))
def test_answers_always_send_what_the_contract_requires(kind: type[msgspec.Struct], name: str) -> None:
    empty = {"ImageJobPayload": "ImageJobPayloadEmpty", "TextJobPayload": "TextJobPayloadEmpty"}.get(name, name)
    assert not optional(kind) & set(DEFS[empty].get("required", ()))


# A body that is good, and junk to put into any place of it: both judges must say the same about the result.
GOOD: dict[type[Request], dict[str, Any]] = {
    image.ImageRequest: {
        "prompt": "a cat",
        "models": ["m"],
        "workers": ["w"],
        "params": {
            "n": 1,
            "width": 512,
            "seed": "1",
            "cfg_scale": 7.5,
            "post_processing": ["GFPGAN"],
            "loras": [{"name": "x"}, {"name": "y", "model": 1.0}],
            "tis": [{"name": "t"}],
            "extra_texts": [{"text": "t", "reference": "ref"}],
            "special": {},
        },
        "extra_source_images": [{"image": "i", "strength": 0.5}],
    },
    text.TextRequest: {"prompt": "p", "params": {"n": 1, "sampler_order": [1, 2], "stop_sequence": ["a"]}},
    image.ImagePop: {"name": "w", "models": ["abc"], "priority_usernames": ["a#1"]},
    text.TextPop: {"name": "w", "models": ["abc"], "softprompts": [""]},
    image.ImageSubmit: {
        "id": "i",
        "generation": "R2",
        "seed": 1,
        "gen_metadata": [{"type": "lora", "value": "nsfw", "ref": "1"}],
    },
    text.TextSubmit: {"id": "i", "generation": "R2", "gen_metadata": [{"type": "censorship", "value": "csam"}]},
    alchemy.AlchemyRequest: {
        "source_image": "http://somewhere",
        "forms": [{"name": "caption"}, {"name": "GFPGAN", "payload": {"facefixer_strength": 0.5}}],
    },
    alchemy.AlchemyPop: {"name": "w", "priority_usernames": ["a#1"]},
    alchemy.AlchemySubmit: {"id": "i", "result": {"caption": "text"}},
    users.UserModify: {"kudos": 5, "trusted": True, "username": "somebody"},
    workers.WorkerModify: {"maintenance": True, "name": "painter"},
    workers.WorkerMessageInput: {"message": "hello", "worker_id": "x" * 36},
    sharedkeys.SharedKeyInput: {"kudos": 5, "name": "mine"},
    sharedkeys.SharedKeyPatch: {"kudos": 5, "name": "mine"},
    teams.TeamInput: {"name": "red", "info": "those in red"},
    teams.TeamPatch: {"name": "red", "info": "those in red"},
    styles.ImageStyleInput: {
        "name": "n",
        "models": ["m"],
        "tags": ["t"],
        "params": {"steps": 5, "loras": [{"name": "x"}]},
    },
    styles.TextStylePatch: {"models": ["m"], "tags": ["t"], "params": {"temperature": 1.0}},
    styles.CollectionInput: {"name": "n", "styles": ["s"]},
    filters.FilterInput: {"regex": "r", "filter_type": 10},
}
JUNK: list[Any] = [
    *(None, True, False, "", "a", "ab", "abc", "x" * 2000, [], {}, [None], [1], ["a"], ["GFPGAN", "GFPGAN"], [{}]),
    *(-6, -1, 0, 1, 3, 12, 13, 16, 20, 21, 50, 51, 63, 64, 79, 80, 100, 128, 200, 201, 501, 1001, 3072, 3136, 4097),
    *(-5.1, 0.005, 0.5, 1.5, 2.9999, 100.5, 1048577, {"name": 5}, {"name": "", "model": 6}, "k_euler", "lcm", "hed"),
    *("ok", "faulted", "csam", "prompt", "inpainting", "qr_code", ["4xLSDIRplus"], [{"name": "n"}], {"n": 0}),
]
# Parsed or chosen differently on purpose: the seed of a submit (behaviour.md 8.1), unknown forms of an alchemist (25).
LENIENT = {"seed": "", "forms": "AlchemyPopInput"}  # and where alone, if not everywhere


def places(name: str, body: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Paths into a good body, and to the properties that it lacks."""
    found: list[tuple[Any, ...]] = []

    def walk(schema: dict[str, Any], value: Any, path: tuple[Any, ...]) -> None:
        schema = DEFS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        for key, inner in schema.get("properties", {}).items():
            found.append((*path, key))
            if isinstance(value, dict) and key in value:
                walk(inner, value[key], (*path, key))
        if isinstance(value, list):
            for index, item in enumerate(value):
                found.append((*path, index))
                walk(schema["items"], item, (*path, index))

    walk(DEFS[name], body, ())
    lenient = {key for key, where in LENIENT.items() if where in ("", name)}
    return [path for path in found if not (path[-1] in lenient and "params" not in path)]


def put(body: Any, path: tuple[Any, ...], junk: Any, remove: bool) -> None:
    for step in path[:-1]:
        body = body[step] if (isinstance(body, dict) and step in body) or isinstance(body, list) else {}
    if remove and isinstance(body, dict):
        body.pop(path[-1], None)
    elif isinstance(body, (dict, list)):
        body[path[-1]] = junk


def schema_paths(name: str, body: Any) -> set[str]:
    found: set[str] = set()
    for error in validator(json.dumps({"$ref": f"#/$defs/{name}"})).iter_errors(body):
        path = list(error.absolute_path)
        if error.validator == "required":
            missing = [key for key in error.validator_value if key not in error.instance]
            found.update(".".join(map(str, [*path, key])) for key in missing)
        else:
            found.add(".".join(map(str, path)))
    return found


def assert_same_verdict(kind: type[Request], body: dict[str, Any]) -> None:
    expected = schema_paths(REQUESTS[kind], body)
    try:
        decode(kind, json.dumps(body).encode())
    except ValidationFailed as error:
        assert set(error.errors or ()) == expected, body
    else:
        assert expected == set(), body


def fresh(kind: type[Request]) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(json.dumps(GOOD[kind]))
    return body


@pytest.mark.parametrize("kind", GOOD)
def test_each_bad_value_in_each_place_is_judged_as_a_schema_validator_does(kind: type[Request]) -> None:
    for path in places(REQUESTS[kind], GOOD[kind]):
        for junk in JUNK:
            body = fresh(kind)
            put(body, path, junk, remove=False)
            assert_same_verdict(kind, body)
        body = fresh(kind)
        put(body, path, None, remove=True)
        assert_same_verdict(kind, body)


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_several_bad_values_are_all_reported(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(GOOD)))
    body = fresh(kind)
    # Deepest first: a place under one that was replaced would no longer exist.
    chosen = data.draw(st.lists(st.sampled_from(places(REQUESTS[kind], body)), min_size=2, max_size=5, unique=True))
    for path in sorted(chosen, key=len, reverse=True):
        put(body, path, data.draw(st.sampled_from(JUNK)), remove=data.draw(st.integers(0, 9)) == 0)
    assert_same_verdict(kind, body)


def test_txt2img_is_accepted_as_no_source() -> None:
    request = decode(image.ImageRequest, b'{"prompt": "a", "source_processing": "txt2img"}')
    assert request.source_processing == "txt2img"


def check(**changes: Any) -> common.RequestCheck:
    base: dict[str, Any] = {
        "finished": 1,
        "processing": 0,
        "restarted": 0,
        "waiting": 0,
        "done": True,
        "faulted": False,
        "wait_time": 2,
        "queue_position": 0,
        "kudos": 0.0,
        "is_possible": True,
    }
    return common.RequestCheck(**{**base, **changes})


def test_answers_cut_integers_and_keep_the_decimal_part_of_floats() -> None:
    encoded = msgspec.json.encode(check(kudos=5, wait_time=3.9))
    assert b'"kudos":5.0,' in encoded
    assert b'"wait_time":3,' in encoded
    assert b'"megapixelsteps":null' in msgspec.json.encode(users.ObsoleteUsage())


def test_optional_numbers_of_answers_are_normalised_too_and_absent_ones_stay_absent() -> None:
    payload: Any = image.ImageJobPayload(denoising_strength=1, clip_skip=2.0)  # type: ignore[arg-type]
    encoded = json.loads(msgspec.json.encode(payload))
    assert repr(encoded["denoising_strength"]) == "1.0"
    assert repr(encoded["clip_skip"]) == "2"
    assert "seed" not in encoded


@pytest.mark.parametrize(("kind", "name"), [(image.ImageJob, "ImageNoJob"), (text.TextJob, "TextNoJob")])
def test_an_empty_job_is_the_answer_without_job(kind: type[Answer], name: str) -> None:
    body = json.loads(msgspec.json.encode(kind()))
    assert list(validator(json.dumps({"$ref": f"#/$defs/{name}"})).iter_errors(body)) == []
