"""Whatever people and workers do in whatever order: the ledger balances, jobs are done once, nobody meddles.

Hypothesis plays users, workers, transfers, cancels, faults, expiry and restarts against a horde behind its real API on a
real file, and checks tests/support/invariants.py and its own memory of what happened after every step.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from hordenode.coordinator import janitor
from hordenode.domain.lifecycle import LIFETIME_MS
from tests.support.horde import ANONYMOUS, IMAGE_POP, IMAGE_REQUEST, START_MS, TEXT_POP, TEXT_REQUEST, Horde, open_horde
from tests.support.invariants import broken_ledger_rules

T = TypeVar("T")
OUTCOMES = st.sampled_from(["ok", "ok", "ok", "faulted", "censored"])
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
PATHS = {"image": "/generate", "text": "/generate/text"}
REQUESTS = {"image": IMAGE_REQUEST, "text": TEXT_REQUEST}
POPS = {"image": IMAGE_POP, "text": TEXT_POP}


@dataclass(slots=True)
class Person:
    """A user as the machine remembers it."""

    id: int
    key: str


@dataclass(slots=True)
class Asked:
    """A request. touched_ms: when its life was last refreshed; it is surely there for so long after that."""

    id: str
    owner: Person
    kind: str
    n: int
    prompt: str
    touched_ms: int
    delivered: int = 0
    cancelled: bool = False


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
    """Everything that happened, by id."""

    people: list[Person] = field(default_factory=list)
    asked: dict[str, Asked] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)


class HordeMachine(RuleBasedStateMachine):
    people: Bundle[Person] = Bundle("people")
    workers: Bundle[Person] = Bundle("workers")
    requests: Bundle[Asked] = Bundle("requests")
    jobs: Bundle[Held] = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="horde-machine-"))
        self.runner = asyncio.Runner()
        self.now_ms = START_MS
        self.memory = Memory()
        self.lives = 0
        self.context: AbstractAsyncContextManager[Horde]
        self.horde: Horde
        self._open()
        owner = self._do(self.horde.user("owner", admin=True, moderator=True, kudos_amount=1000))
        self.memory.people += [Person(1, owner), Person(0, ANONYMOUS)]

    def _open(self) -> None:
        """Each life of the horde draws other ids."""
        self.lives += 1
        self.context = open_horde(self.folder, seed=self.lives, now_ms=self.now_ms)
        self.horde = self._do(self.context.__aenter__())

    def _do(self, work: Awaitable[T]) -> T:
        async def limited() -> T:
            return await asyncio.wait_for(work, 30)

        return self.runner.run(limited())

    def _call(self, method: str, path: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
        answer = self._do(self.horde.call(method, path, body, key=key))
        assert answer.status_code < 500, f"{method} {path}: {answer.text[:300]}"
        return answer.status_code, answer.json()

    def teardown(self) -> None:
        self._do(self.context.__aexit__(None, None, None))
        self.runner.close()
        shutil.rmtree(self.folder)

    @initialize(target=people)
    def begin(self) -> Any:
        """The owner of the horde, the anonymous user whose key everybody has, and some who are well off."""
        return multiple(*self.memory.people, self._register(400, trusted=True), self._register(90, trusted=False))

    @initialize(target=workers)
    def staff(self) -> Any:
        """Who runs workers: one trusted, one not."""
        return multiple(self._register(0, trusted=True), self._register(30, trusted=False))

    @rule(target=people, kudos=st.integers(0, 500), trusted=st.booleans())
    def register(self, kudos: int, trusted: bool) -> Person:
        return self._register(kudos, trusted)

    def _register(self, kudos: int, trusted: bool) -> Person:
        number = len(self.memory.people)  # ids without gaps, the anonymous user's being 0
        key = self._do(self.horde.user(f"user {number}", kudos_amount=kudos, trusted=trusted))
        self.memory.people.append(Person(number, key))
        return self.memory.people[-1]

    @rule(target=requests, person=people, kind=st.sampled_from(["image", "text"]), n=st.integers(1, 4))
    def ask(self, person: Person, kind: str, n: int) -> Any:
        prompt = f"secret of {person.id} number {len(self.memory.asked)}"
        body = REQUESTS[kind] | {"prompt": prompt, "params": REQUESTS[kind]["params"] | {"n": n}}
        status, made = self._call("POST", f"{PATHS[kind]}/async", body, person.key)
        if status != 202:
            assert made["rc"] == "TooManyPrompts", made
            return multiple()
        asked = Asked(made["id"], person, kind, n, prompt, self.now_ms)
        self.memory.asked[asked.id] = asked
        return asked

    @rule(person=people, kind=st.sampled_from(["image", "text"]), n=st.integers(1, 4))
    def ask_the_price(self, person: Person, kind: str, n: int) -> None:
        body = REQUESTS[kind] | {"dry_run": True, "params": REQUESTS[kind]["params"] | {"n": n}}
        status, made = self._call("POST", f"{PATHS[kind]}/async", body, person.key)
        assert (status == 200 and made["kudos"] > 0) or made["rc"] == "TooManyPrompts"

    @rule(target=jobs, person=workers | people, kind=st.sampled_from(["image", "text"]), amount=st.integers(1, 3))
    def pop(self, person: Person, kind: str, amount: int) -> Any:
        return multiple(*self._pop(person, kind, amount))

    def _pop(self, person: Person, kind: str, amount: int) -> list[Held]:
        body = POPS[kind] | {"name": f"{kind} of {person.id}", "amount": amount}
        status, made = self._call("POST", f"{PATHS[kind]}/pop", body, person.key)
        if status != 200:
            assert made["rc"] == "AnonForbiddenWorker", made
            return []
        if made["id"] is None:
            return []
        (asked,) = [a for a in self.memory.asked.values() if a.prompt == made["payload"]["prompt"]]
        assert asked.kind == kind and not asked.cancelled
        asked.touched_ms = now = self.now_ms
        fresh = [Held(job_id, asked, person, now + made["ttl"] * 1000) for job_id in made["ids"]]
        assert not {job.id for job in fresh} & set(self.memory.held), "a job was handed out twice"
        self.memory.held.update({job.id: job for job in fresh})
        return fresh

    @rule(person=workers, kind=st.sampled_from(["image", "text"]), outcomes=st.lists(OUTCOMES, min_size=1, max_size=4))
    def serve(self, person: Person, kind: str, outcomes: list[str]) -> None:
        """A worker that does one job after the other."""
        for outcome in outcomes:
            for job in self._pop(person, kind, 1):
                self._settle(job, outcome)

    @rule(job=jobs, outcome=OUTCOMES)
    def submit(self, job: Held, outcome: str) -> None:
        self._settle(job, outcome)

    def _settle(self, job: Held, outcome: str) -> None:
        status, made = self._submit(job, outcome, job.owner.key)
        before, asked = job.state, job.asked
        if status == 404:
            assert made["rc"] == "InvalidJobID" and self._may_be_gone(asked)
        elif before == "processing" and status == 200:
            job.state = "faulted" if outcome == "faulted" else "done"
            asked.delivered += job.state == "done"
            asked.touched_ms = self.now_ms
        elif before == "done":
            assert made["rc"] == "DuplicateGen"
        elif outcome == "faulted":
            assert status == 200 and made["reward"] == 0  # it was taken back, and nobody minds
        else:
            assert made["rc"] == "AbortedGen" and (before == "faulted" or self.now_ms > job.deadline_ms)
            job.state = "faulted"

    def _submit(self, job: Held, outcome: str, key: str) -> tuple[int, Any]:
        body: dict[str, Any] = {"id": job.id, "generation": "R2", "seed": 1}
        if outcome == "faulted":
            body["state"] = "faulted"
        elif outcome == "censored" and job.asked.kind == "image":
            body["gen_metadata"] = [{"type": "censorship", "value": "nsfw"}]
        elif outcome == "censored":
            body["state"] = "censored"
        return self._call("POST", f"{PATHS[job.asked.kind]}/submit", body, key)

    @rule(job=jobs, stranger=people)
    def submit_for_another(self, job: Held, stranger: Person) -> None:
        if stranger is not job.owner:
            status, made = self._submit(job, "ok", stranger.key)
            assert (status, made["rc"]) in ((403, "WrongCredentials"), (404, "InvalidJobID"))

    @rule(asked=requests)
    def cancel(self, asked: Asked) -> None:
        """Its id is what the sender got, and nobody else."""
        status, _ = self._call("DELETE", f"{PATHS[asked.kind]}/status/{asked.id}", key=asked.owner.key)
        assert status == 200 or self._may_be_gone(asked)
        asked.cancelled = asked.cancelled or status == 200

    @rule(job=jobs)
    def cancel_by_what_a_worker_knows(self, job: Held) -> None:
        for path in PATHS.values():
            for known in (job.id, UNKNOWN_ID):
                status, made = self._call("DELETE", f"{path}/status/{known}", key=job.owner.key)
                assert (status, made["rc"]) == (404, "RequestNotFound")

    @rule(sender=people, receiver=people, amount=st.integers(-1, 400))
    def transfer(self, sender: Person, receiver: Person, amount: int) -> None:
        before = self._balances()
        body = {"username": f"whoever#{receiver.id}", "amount": amount}
        status, _ = self._call("POST", "/kudos/transfer", body, sender.key)
        after = self._balances()
        if status == 200:
            assert after[sender.id] == before[sender.id] - 1000 * amount
            assert after[receiver.id] >= before[receiver.id] + 1000 * amount
        else:
            assert after == before

    @rule(person=people, amount=st.integers(-100, 100))
    def award(self, person: Person, amount: int) -> None:
        body = {"username": f"whoever#{person.id}", "amount": amount}
        status, made = self._call("POST", "/kudos/award", body, self.memory.people[0].key)
        assert status == 200 or made["rc"] == "KudosAwardToAnon"

    @rule(mode=st.sampled_from(["maintenance_mode", "invite_only_mode", "raid_mode"]), person=people)
    def a_mode_comes_and_goes(self, mode: str, person: Person) -> None:
        owner = self.memory.people[0].key
        assert self._call("PUT", "/status/modes", {mode: True}, owner)[0] == 200
        status, made = self._call("POST", "/generate/text/async", TEXT_REQUEST | {"dry_run": True}, person.key)
        assert (status == 400 and made["rc"] == "MaintenanceMode") or mode != "maintenance_mode"
        assert self._call("PUT", "/status/modes", {mode: False}, owner)[0] == 200
        for asked in self.memory.asked.values():
            asked.cancelled = asked.cancelled or (mode == "maintenance_mode" and asked.kind == "image")

    @rule(seconds=st.sampled_from([1, 30, 100, 200, 700, 1300]))
    def wait(self, seconds: int) -> None:
        """Time passes and the janitor makes his rounds: jobs go stale, requests expire, uptime is paid."""
        self.now_ms += seconds * 1000
        self.horde.clock.advance(seconds)
        for sweep in (janitor.sweep_stale, janitor.sweep_expired, janitor.sweep_blobs, janitor.save_presence):
            self._do(sweep(self.horde.co))

    @rule()
    def restart(self) -> None:
        self._do(self.context.__aexit__(None, None, None))
        self._open()

    @rule(person=people)
    def look_around(self, person: Person) -> None:
        """Nothing that is open to somebody tells of another's requests."""
        seen = ""
        for path in ("find_user", "workers", "status/models?type=text", "status/performance", "status/heartbeat"):
            seen += self._do(self.horde.call("GET", f"/{path}", key=person.key)).text
        page = self._do(self.horde.http.get("/api/node/v1/kudos?limit=200", headers={"apikey": person.key}))
        assert page.status_code == 200
        seen += page.text
        for asked in self.memory.asked.values():
            assert asked.prompt not in seen
            if asked.owner is not person or person.id == 0:
                assert asked.id not in seen, "another user's request"

    def _may_be_gone(self, asked: Asked) -> bool:
        return self.now_ms - asked.touched_ms > LIFETIME_MS

    def _balances(self) -> dict[int, int]:
        return {person.id: round(1000 * self._do(self.horde.balance(person.id))) for person in self.memory.people}

    @invariant()
    def the_database_is_sound(self) -> None:
        broken = broken_ledger_rules(self.folder / "hordenode.db")
        assert broken == {}

    @invariant()
    def requests_stand_where_they_should(self) -> None:
        for asked in self.memory.asked.values():
            path = f"/generate/check/{asked.id}" if asked.kind == "image" else f"/generate/text/status/{asked.id}"
            status, check = self._call("GET", path)
            if status == 404:
                assert self._may_be_gone(asked)
                continue
            assert check["finished"] == asked.delivered, "a job counts once"
            total = check["waiting"] + check["processing"] + check["finished"]
            lost = asked.n - total
            assert lost == 0 or (lost > 0 and (asked.cancelled or check["faulted"]))
            assert check["done"] == (check["faulted"] or check["waiting"] + check["processing"] == 0)


HordeMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=50, deadline=None)
TestHorde = HordeMachine.TestCase
