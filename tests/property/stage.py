"""What the state machine of the horde acts on, and its own memory of what happened."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from hypothesis.stateful import Bundle, RuleBasedStateMachine

from hordenode.domain.lifecycle import LIFETIME_MS
from tests.support.horde import ANONYMOUS, IMAGE_POP, IMAGE_REQUEST, START_MS, TEXT_POP, TEXT_REQUEST, Horde, open_horde

T = TypeVar("T")
KINDS = ("image", "text")
PATHS = {"image": "/generate", "text": "/generate/text"}
REQUESTS = {"image": IMAGE_REQUEST, "text": TEXT_REQUEST}
POPS = {"image": IMAGE_POP, "text": TEXT_POP}


@dataclass(slots=True)
class Person:
    """A user as the machine remembers it."""

    id: int
    key: str
    moderator: bool = False
    flagged: bool = False

    @property
    def alias(self) -> str:
        return f"whoever#{self.id}"


@dataclass(slots=True)
class Budget:
    """What a shared key may spend (contract 14). Thousandths; None is no limit."""

    left: int | None
    utilized: int = 0

    def charge(self, amount: int) -> None:
        if self.left == 0:
            return
        self.utilized += amount
        if self.left is not None:
            self.left = max(0, self.left - amount)

    def give(self, amount: int) -> None:
        if self.left is not None:
            self.left += amount


@dataclass(slots=True)
class Key:
    """A shared key. limits: as the API has them, -1 is none."""

    id: str
    owner: Person
    budget: Budget
    limits: dict[str, int]
    expires_ms: int | None
    deleted: bool = False

    def too_small_for(self, kind: str, params: dict[str, int]) -> bool:
        asked = {"max_text_tokens": params.get("max_length", 0)}
        if kind == "image":
            asked = {"max_image_pixels": params["width"] * params["height"], "max_image_steps": params["steps"]}
        return any(0 <= self.limits[name] < amount for name, amount in asked.items())


@dataclass(slots=True)
class Asked:
    """A request. touched_ms: when its life was last refreshed; it is surely there for so long after that.

    key: the shared key that pays. deleted: together with that key.
    """

    id: str
    owner: Person
    kind: str
    n: int
    prompt: str
    touched_ms: int
    key: Key | None = None
    delivered: int = 0
    cancelled: bool = False
    deleted: bool = False


@dataclass(slots=True)
class Held:
    """A job that a worker got."""

    id: str
    asked: Asked
    owner: Person
    deadline_ms: int
    state: str = "processing"


@dataclass(slots=True)
class Memory:
    """Everything that happened, by id. read_to: the last line of the ledger that was looked at."""

    people: list[Person] = field(default_factory=list)
    asked: dict[str, Asked] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)
    read_to: int = 0


class Stage(RuleBasedStateMachine):
    """A horde behind its real API on a real file, which may be closed and opened again."""

    people: Bundle[Person] = Bundle("people")
    workers: Bundle[Person] = Bundle("workers")
    requests: Bundle[Asked] = Bundle("requests")
    jobs: Bundle[Held] = Bundle("jobs")
    keys: Bundle[Key] = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="horde-machine-"))
        self.runner = asyncio.Runner()
        self.now_ms = START_MS
        self.memory = Memory()
        self.lives = 0
        self.context: AbstractAsyncContextManager[Horde]
        self.horde: Horde
        self.open()
        owner = self.do(self.horde.user("owner", admin=True, moderator=True, kudos_amount=1000))
        self.memory.people += [Person(1, owner, moderator=True), Person(0, ANONYMOUS)]

    @property
    def owner(self) -> Person:
        return self.memory.people[0]

    def open(self) -> None:
        """Each life of the horde draws other ids."""
        self.lives += 1
        self.context = open_horde(self.folder, seed=self.lives, now_ms=self.now_ms)
        self.horde = self.do(self.context.__aenter__())

    def close(self) -> None:
        self.do(self.context.__aexit__(None, None, None))

    def teardown(self) -> None:
        self.close()
        self.runner.close()
        shutil.rmtree(self.folder)

    def do(self, work: Awaitable[T]) -> T:
        async def limited() -> T:
            return await asyncio.wait_for(work, 30)

        return self.runner.run(limited())

    def call(self, method: str, path: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
        answer = self.do(self.horde.call(method, path, body, key=key))
        assert answer.status_code < 500, f"{method} {path}: {answer.text[:300]}"
        return answer.status_code, answer.json()

    def new_person(self, kudos: int, *, trusted: bool, moderator: bool = False) -> Person:
        number = len(self.memory.people)  # ids without gaps, the anonymous user's being 0
        options = {"kudos_amount": kudos, "trusted": trusted, "moderator": moderator}
        key = self.do(self.horde.user(f"user {number}", **options))
        self.memory.people.append(Person(number, key, moderator))
        return self.memory.people[-1]

    def remember(
        self, request_id: str, owner: Person, kind: str, body: dict[str, Any], key: Key | None = None
    ) -> Asked:
        asked = Asked(request_id, owner, kind, body["params"]["n"], body["prompt"], self.now_ms, key)
        self.memory.asked[request_id] = asked
        return asked

    def request(self, asker: str, kind: str, n: int, **params: int) -> dict[str, Any]:
        """A body with a prompt that nobody else sends."""
        prompt = f"secret of {asker} number {len(self.memory.asked)}"
        return REQUESTS[kind] | {"prompt": prompt, "params": REQUESTS[kind]["params"] | params | {"n": n}}

    def may_be_gone(self, asked: Asked) -> bool:
        return asked.deleted or self.now_ms - asked.touched_ms > LIFETIME_MS

    def balances(self) -> dict[int, int]:
        return {person.id: round(1000 * self.do(self.horde.balance(person.id))) for person in self.memory.people}
