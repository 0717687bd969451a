"""Hostile and odd bodies: each ends in a clear refusal of the declared kind, never in another exception."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hordenode.protocol.decode import decode, decode_query
from hordenode.protocol.errors import HordeError, PlainError, ValidationFailed
from hordenode.protocol.image import ImageParams, ImageRequest, ImageSubmit
from hordenode.protocol.status import ModelsQuery
from hordenode.protocol.text import TextRequest, TextSubmit
from hordenode.protocol.violations import MAX_REPORTED
from hordenode.protocol.wire import rfc822


def refusal(kind: type[Any], raw: bytes) -> HordeError:
    with pytest.raises(HordeError) as caught:
        decode(kind, raw)
    return caught.value


def errors(kind: type[Any], raw: bytes) -> dict[str, str]:
    error = refusal(kind, raw)
    assert isinstance(error, ValidationFailed)
    return dict(error.errors or {})


def test_all_violations_are_reported_at_once_by_dotted_path() -> None:
    body = b"""{"params": {"width": 100, "height": 64.0, "n": 0, "steps": true, "sampler_name": "k_eule",
        "loras": [{"name": "x", "model": 9}, {"clip": "a"}], "post_processing": ["GFPGAN", "GFPGAN"]},
        "models": null, "workers": [5, "a"], "nsfw": "x", "style": "ab"}"""
    found = errors(ImageRequest, body)
    assert "k_euler_a" in found.pop("params.sampler_name")
    assert found == {
        "prompt": "is required",
        "params.width": "100 is not a multiple of 64",
        "params.height": "64.0 is not an integer",
        "params.n": "0 is below the minimum of 1",
        "params.steps": "true is not an integer",
        "params.loras.0.model": "9 is above the maximum of 5.0",
        "params.loras.1.name": "is required",
        "params.loras.1.clip": '"a" is not a number',
        "params.post_processing": "has an entry more than once",
        "models": "null is not an array",
        "workers.0": "5 is not a string",
        "nsfw": '"x" is not a boolean',
        "style": '"ab" is shorter than 3 characters',
    }


@pytest.mark.parametrize("raw", [b"[]", b'"x"', b"5", b"null", b"true"])
def test_a_body_that_is_no_object_is_a_validation_error(raw: bytes) -> None:
    assert list(errors(ImageRequest, raw)) == ["body"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"prompt": 5, zzz',
        b'{"prompt": "\xff"}',
        b'{"prompt": "\\ud800"}',
        b'{"prompt": "a\x00"}',
        b'{"prompt": "a"} x',
        b"\xef\xbb\xbf{}",
        b'{"prompt": NaN}',
        b'{"prompt": "a", "q": ' + b"[" * 2_500_000 + b"]" * 2_500_000 + b"}",
        b'{"prompt": 5, "q": ' + b"[" * 2_500_000 + b"]" * 2_500_000 + b"}",
        b"\x00" * 5_000_000,
        b"x" * 5_000_000,
    ],
    ids=range(13),
)
def test_what_is_not_json_is_a_plain_400(raw: bytes) -> None:
    error = refusal(ImageRequest, raw)
    assert isinstance(error, PlainError)
    assert (error.status, error.rc) == (400, None)
    assert "not valid JSON" in error.message


@pytest.mark.parametrize("number", [b"1e400", b"-1e400", b"9" * 30, b"-" + b"9" * 30, b"9" * 1_000_000])
def test_numbers_beyond_64_bits_are_violations_of_their_field(number: bytes) -> None:
    assert list(errors(ImageRequest, b'{"prompt": "a", "params": {"n": %s}}' % number)) == ["params.n"]


@pytest.mark.parametrize("inner", [b"9" * 30, b"[[-%s]]" % (b"9" * 30), b"[" * 60 + b"]" * 60, b"9" * 1_000_000])
def test_a_free_object_must_be_storable(inner: bytes) -> None:
    raw = b'{"prompt": "a", "params": {"special": {"a": %s}}}' % inner
    assert list(errors(ImageRequest, raw)) == ["params.special"]


def test_a_free_object_keeps_what_is_storable() -> None:
    special = {"a": [1, {"b": 2.5}], "c": 2**63 - 1, "d": None}
    raw = json.dumps({"prompt": "a", "params": {"special": special}}).encode()
    params = decode(ImageRequest, raw).params
    assert isinstance(params, ImageParams)
    assert params.special == special


def test_an_answer_to_a_million_bad_entries_stays_small() -> None:
    found = errors(ImageRequest, b'{"prompt": "a", "workers": [' + b"1," * 1_000_000 + b"1]}")
    assert len(found) == MAX_REPORTED
    long = errors(ImageRequest, b'{"prompt": "a", "style": "%s"}' % (b"x" * 1_000_000))
    assert len(long["style"]) < 100


def test_unknown_fields_are_accepted_and_absent_differs_from_null() -> None:
    request = decode(ImageRequest, b'{"prompt": "a", "new": {"x": [1]}, "params": {"scheduler": "x"}}')
    assert (request.models, request.workers, request.slow_workers) == (request.style, (), True)
    assert list(errors(ImageRequest, b'{"prompt": "a", "params": null}')) == ["params"]


def test_number_fields_take_integers() -> None:
    request = decode(TextRequest, b'{"prompt": "", "params": {"temperature": 1}}')
    assert repr(getattr(request.params, "temperature")) == "1.0"  # noqa: B009


def test_a_nul_character_is_refused_by_its_own_code() -> None:
    for raw in (
        b'{"prompt": "a\\u0000b"}',
        b'{"prompt": "\\\\\\u0000"}',
        b'{"prompt": "a", "params": {"special": {"\\u0000": 1}}}',
        b'{"prompt": "a", "workers": ["\\u0000"]}',
    ):
        assert refusal(ImageRequest, raw).rc == "NulByteInPayload"


def test_a_backslash_before_u0000_is_no_nul() -> None:
    assert decode(ImageRequest, b'{"prompt": "a\\\\u0000b"}').prompt == "a\\u0000b"
    assert decode(ImageRequest, b'{"prompt": "a", "unknown": "\\u0000"}').prompt == "a"


def test_a_violation_is_told_before_a_nul() -> None:
    assert list(errors(ImageRequest, b'{"prompt": "\\u0000", "nsfw": 5}')) == ["nsfw"]


@pytest.mark.parametrize("kind", [ImageSubmit, TextSubmit])
def test_a_nul_in_a_generation_is_replaced(kind: type[ImageSubmit | TextSubmit]) -> None:
    assert decode(kind, b'{"id": "a", "generation": "x\\u0000y", "seed": 1}').generation == "x\ufffdy"
    assert refusal(kind, b'{"id": "\\u0000", "generation": "x\\u0000y", "seed": 1}').rc == "NulByteInPayload"


@pytest.mark.parametrize(
    ("sent", "seed"),
    [(b"5", 5), (b'"5"', 5), (b"5.9", 5), (b"-1", -1), (b'"-7"', -7), (b"9007199254740993", 2**53 + 1)],
)
def test_the_seed_of_a_submit_is_parsed(sent: bytes, seed: int) -> None:
    submit = decode(ImageSubmit, b'{"id": "a", "generation": "x", "seed": %s}' % sent)
    assert submit.seed == seed
    assert type(submit.seed) is int


@pytest.mark.parametrize(
    "sent", [b'"x"', b'""', b"null", b"true", b"1e300", b'"1.5"', b"9" * 30, b'"%s"' % (b"9" * 30)]
)
def test_a_seed_of_a_submit_that_is_no_number_is_refused(sent: bytes) -> None:
    raw = b'{"generation": "x", "seed": %s}' % sent
    assert set(errors(ImageSubmit, raw)) == {"id", "seed"}


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
@settings(max_examples=300, deadline=None)
def test_any_bytes_decode_or_are_refused_with_a_400(raw: bytes) -> None:
    for kind in (ImageRequest, TextSubmit):
        try:
            decode(kind, raw)
        except HordeError as error:
            assert error.status == 400


def test_query_arguments_are_converted() -> None:
    query = decode_query(ModelsQuery, b"type=text&min_count=5&unknown=1&model_state=")
    assert (query.type, query.min_count, query.model_state) == ("text", 5, "")
    assert decode_query(ModelsQuery, b"").type == "image"
    assert decode_query(ModelsQuery, b"type=a%20b%c3%a9&type=c").type == "c"


@pytest.mark.parametrize(
    "query", [b"min_count=x", b"min_count=1.5", b"min_count=" + b"9" * 30, b"min_count=&max_count=y"]
)
def test_the_first_bad_query_argument_is_named(query: bytes) -> None:
    with pytest.raises(ValidationFailed) as caught:
        decode_query(ModelsQuery, query)
    assert list(caught.value.errors or ()) == ["min_count"]


def test_odd_queries_are_refused_cleanly() -> None:
    with pytest.raises(HordeError) as caught:
        decode_query(ModelsQuery, b"type=%00")
    assert caught.value.rc == "NulByteInPayload"
    with pytest.raises(PlainError):
        decode_query(ModelsQuery, b"a=1&" * 200)
    assert decode_query(ModelsQuery, b"type=%ff\xff").type == "\ufffd\xff"


def test_dates_are_rfc_822_in_utc() -> None:
    assert rfc822(1_700_000_000_999) == "Tue, 14 Nov 2023 22:13:20 -0000"
