"""A call that must be refused with one code, and how it is made."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.contract import schema
from tests.support.horde import ALCHEMY_POP, IMAGE_POP, IMAGE_REQUEST, TEXT_POP, TEXT_REQUEST
from tests.support.people import People

POPS = {
    "POST /generate/pop": IMAGE_POP,
    "POST /generate/text/pop": TEXT_POP,
    "POST /interrogate/pop": ALCHEMY_POP,
}
REQUESTS = {"POST /generate/async": IMAGE_REQUEST, "POST /generate/text/async": TEXT_REQUEST}

# Makes what the call needs; returns names for the path and the body, `apikey` for the caller's key.
Prepare = Callable[[People], Awaitable[Mapping[str, str] | None]]


@dataclass(frozen=True)
class Case:
    """`who` asks `route` for something that is refused with `rc`.

    `{name}` in path, query and body stands for one of the things of the cast, of `path`, or of what `prepare` returns.
    rules: of the horde.
    """

    route: str
    rc: str
    who: str
    body: Any = None
    path: dict[str, str] = field(default_factory=dict)
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    prepare: Prepare | None = None
    rules: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.route} {self.rc} {self.who}"


async def check(case: Case, people: People) -> None:
    """Make the call; AssertionError when anything else is answered."""
    prepared = await case.prepare(people) if case.prepare is not None else None
    known = people.cast.things | dict(prepared or {})
    things = known | filled(case.path, known)
    method, _, template = case.route.partition(" ")
    key = things.get("apikey") or people.cast.keys[case.who]
    answer = await people.horde.call(
        method, filled(template + case.query, things), filled(case.body, things), key=key, headers=case.headers
    )
    assert answer.json().get("rc") == case.rc, f"{answer.status_code} {answer.text[:300]}"
    schema.validate(case.route, answer.status_code, answer.json())


def filled(value: Any, things: Mapping[str, str]) -> Any:
    """The same with things in place of the names that are known; other braces stay."""
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda found: things.get(found[1], found[0]), value)
    if isinstance(value, dict):
        return {name: filled(member, things) for name, member in value.items()}
    if isinstance(value, list):
        return [filled(member, things) for member in value]
    return value
