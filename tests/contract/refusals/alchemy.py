"""Refusals of interrogate/* other than those of pictures (pictures.py) and of every pop (people.py)."""

from __future__ import annotations

from tests.contract.refusals.case import Case
from tests.support.horde import ALCHEMY_POP, ALCHEMY_REQUEST, ANONYMOUS
from tests.support.people import UNKNOWN, People

ASYNC, SUBMIT = "POST /interrogate/async", "POST /interrogate/submit"
RESULT = {"id": "{job_id}", "result": {"caption": "a red dot"}}


async def form(people: People) -> dict[str, str]:
    await people.horde.ok("POST", "/interrogate/async", ALCHEMY_REQUEST, key=ANONYMOUS)
    popped = await people.ok("registered", "POST", "/interrogate/pop", ALCHEMY_POP)
    return {"job_id": popped["forms"][0]["id"]}


async def done_form(people: People) -> dict[str, str]:
    made = await form(people)
    await people.ok("registered", "POST", "/interrogate/submit", RESULT | {"id": made["job_id"]})
    return made


async def no_concurrency(people: People) -> None:
    await people.ok("moderator", "PUT", people.path("/users/{user_id}"), {"concurrency": 0})


async def maintenance(people: People) -> None:
    await people.ok("admin", "PUT", "/status/modes", {"maintenance_mode": True})


CASES = [
    Case(ASYNC, "BadRequest", "registered", ALCHEMY_REQUEST | {"webhook": "http://example.com/hear"}),
    Case(ASYNC, "InvalidAPIKey", "nobody", ALCHEMY_REQUEST),
    Case(ASYNC, "InvalidAPIKey", "shared key", ALCHEMY_REQUEST),
    Case(ASYNC, "MaintenanceMode", "registered", ALCHEMY_REQUEST, prepare=maintenance),
    Case(ASYNC, "TooManyPrompts", "registered", ALCHEMY_REQUEST, prepare=no_concurrency),
    Case("GET /interrogate/status/{id}", "RequestNotFound", "none", path={"id": UNKNOWN}),
    Case("DELETE /interrogate/status/{id}", "RequestNotFound", "none", path={"id": UNKNOWN}),
    Case(SUBMIT, "InvalidJobID", "registered", RESULT | {"id": UNKNOWN}),
    Case(SUBMIT, "InvalidAPIKey", "nobody", RESULT, prepare=form),
    Case(SUBMIT, "WrongCredentials", "other", RESULT, prepare=form),
    Case(SUBMIT, "DuplicateGen", "registered", RESULT, prepare=done_form),
]
