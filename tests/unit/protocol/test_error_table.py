"""The error table: equal to the contract, safe for the workers that read messages, the same on both sides of the wire."""

from __future__ import annotations

import pickle
import string
from typing import Any

import pytest

from hordenode.protocol.errors import ERRORS, MODELS_REFUSED, HordeError, PlainError, ValidationFailed
from hordenode.protocol.errors_table import ErrorCode, _parse
from tests.contract.schema import API, validate_named


def fields_of(code: ErrorCode) -> dict[str, Any]:
    return {name: f"<{name}>" for _, name, _, _ in string.Formatter().parse(code.template) if name}


def raised(rc: str) -> HordeError:
    return HordeError(rc, **fields_of(ERRORS[rc]))


def test_the_table_has_exactly_the_codes_and_statuses_of_the_contract() -> None:
    ours = {rc: set(code.statuses) for rc, code in ERRORS.items()}
    theirs = {rc: set(facts["status"]) for rc, facts in API["rc"].items()}
    assert ours == theirs


def test_a_code_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="Locked stands twice"):
        _parse("Locked | 423 | a\n    b\nLocked | 423 | c\n    d")


@pytest.mark.parametrize("rc", ERRORS)
def test_every_code_has_texts_and_survives_the_wire(rc: str) -> None:
    error = raised(rc)
    assert ERRORS[rc].explanation
    assert len(error.message) >= len("<reason>")
    validate_named("RequestError", error.body())
    back = HordeError.from_wire(error.status, error.body())
    assert (back.rc, back.status, back.message, type(back)) == (rc, error.status, error.message, HordeError)


@pytest.mark.parametrize(
    ("rc", "parts"),
    [
        ("WorkerMaintenance", ["maintenance mode"]),
        ("WorkerFlaggedMaintenance", ["maintenance mode"]),
        ("WrongCredentials", ["wrong credentials"]),
        ("InvalidJobID", ["processing job with id", "does not exist"]),
        ("DuplicateGen", ["already submitted"]),
        ("AbortedGen", ["please check your worker speed"]),
    ],
)
def test_messages_keep_what_workers_look_for(rc: str, parts: list[str]) -> None:
    message = raised(rc).message.lower()
    assert [part for part in parts if part not in message] == []


def test_case_sensitive_substrings_of_submit_errors() -> None:
    assert "Processing Job with ID" in raised("InvalidJobID").message
    assert "Please check your worker speed" in raised("AbortedGen").message
    assert "we cannot accept workers serving" in HordeError("BadRequest", MODELS_REFUSED).message


def test_message_and_status_can_be_chosen_within_the_table() -> None:
    assert HordeError("WorkerMaintenance", "maintenance mode: lunch").message == "maintenance mode: lunch"
    assert HordeError("DeletedUser").status == 403
    assert HordeError("DeletedUser", status=400).status == 400
    with pytest.raises(ValueError, match="not 404"):
        HordeError("DeletedUser", status=404)
    with pytest.raises(KeyError):
        HordeError("NoSuchCode")
    with pytest.raises(KeyError):
        HordeError("InvalidJobID")


def test_validation_errors_name_the_first_path_and_have_no_rc() -> None:
    error = ValidationFailed({"params.n": "0 is below the minimum of 1", "prompt": "is required"})
    assert error.status == 400
    assert error.body()["errors"] == {"params.n": "0 is below the minimum of 1", "prompt": "is required"}
    assert "rc" not in error.body()
    assert error.message.endswith("params.n: 0 is below the minimum of 1 (and 1 more)")


def test_answers_of_other_hordes_become_errors_whatever_they_hold() -> None:
    unknown = HordeError.from_wire(418, {"message": "short and stout", "rc": "Teapot"}, retry_after=3)
    assert (unknown.rc, unknown.status, unknown.message, unknown.retry_after) == ("Teapot", 418, "short and stout", 3)
    other_status = HordeError.from_wire(409, {"message": "m", "rc": "Locked"})
    assert (other_status.rc, other_status.status) == ("Locked", 409)
    fields = HordeError.from_wire(400, {"message": "m", "errors": {"apikey": "missing"}})
    assert isinstance(fields, ValidationFailed)
    assert (fields.message, fields.errors) == ("m", {"apikey": "missing"})
    odd: list[Any] = [None, [], "text", {}, {"message": None}, {"rc": 5}]
    for body in odd:
        plain = HordeError.from_wire(502, body)
        assert isinstance(plain, PlainError)
        assert plain.message == "HTTP status 502 without a message"


@pytest.mark.parametrize(
    "error",
    [
        HordeError("InvalidJobID", id="x", retry_after=7),
        ValidationFailed({"prompt": "is required"}),
        PlainError(503, "busy", retry_after=2),
        HordeError.from_wire(418, {"message": "m", "rc": "Teapot"}),
    ],
)
def test_errors_can_cross_a_process_boundary(error: HordeError) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert (back.body(), back.status, back.retry_after, str(back)) == (
        error.body(),
        error.status,
        error.retry_after,
        error.message,
    )
