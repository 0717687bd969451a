"""Whatever people and workers do in whatever order: the ledger balances, jobs are done once, nobody meddles.

Hypothesis plays users of every standing, shared keys (key_rules.py), workers, transfers, cancels, faults, expiry and
restarts against a horde behind its real API on a real file, and checks tests/support/invariants.py and its own memory of
what happened (stage.py) after every step. MACHINE_EXAMPLES says how many stories (20 in an ordinary run).
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, multiple, rule

from hordenode.coordinator import janitor
from tests.property.key_rules import KeyRules
from tests.property.stage import KINDS, PATHS, POPS, REQUESTS, Asked, Held, Person, Stage
from tests.support.horde import TEXT_REQUEST
from tests.support.invariants import broken_ledger_rules, often_read

EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "20"))
OUTCOMES = st.sampled_from(["ok", "ok", "ok", "faulted", "censored"])
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


class HordeMachine(KeyRules):
    people, workers, requests, jobs = Stage.people, Stage.workers, Stage.requests, Stage.jobs

    @initialize(target=people)
    def begin(self) -> Any:
        """The owner of the horde, the anonymous user whose key everybody has, one of each other standing."""
        rich, poor = self.new_person(400, trusted=True), self.new_person(90, trusted=False)
        return multiple(*self.memory.people[:2], rich, poor, self.new_person(50, trusted=True, moderator=True))

    @initialize(target=workers)
    def staff(self) -> Any:
        """Who runs workers: one trusted, one not."""
        return multiple(self.new_person(0, trusted=True), self.new_person(30, trusted=False))

    @rule(target=people, kudos=st.integers(0, 500), trusted=st.booleans())
    def register(self, kudos: int, trusted: bool) -> Person:
        return self.new_person(kudos, trusted=trusted)

    @rule(target=requests, person=people, kind=st.sampled_from(KINDS), n=st.integers(1, 4))
    def ask(self, person: Person, kind: str, n: int) -> Any:
        body = self.request(str(person.id), kind, n)
        status, made = self.call("POST", f"{PATHS[kind]}/async", body, person.key)
        if status != 202:
            assert made["rc"] == "TooManyPrompts", made
            return multiple()
        return self.remember(made["id"], person, kind, body)

    @rule(person=people, kind=st.sampled_from(KINDS), n=st.integers(1, 4))
    def ask_the_price(self, person: Person, kind: str, n: int) -> None:
        body = REQUESTS[kind] | {"dry_run": True, "params": REQUESTS[kind]["params"] | {"n": n}}
        status, made = self.call("POST", f"{PATHS[kind]}/async", body, person.key)
        assert (status == 200 and made["kudos"] > 0) or made["rc"] == "TooManyPrompts"

    @rule(target=jobs, person=workers | people, kind=st.sampled_from(KINDS), amount=st.integers(1, 3))
    def pop(self, person: Person, kind: str, amount: int) -> Any:
        return multiple(*self._pop(person, kind, amount))

    def _pop(self, person: Person, kind: str, amount: int) -> list[Held]:
        body = POPS[kind] | {"name": f"{kind} of {person.id}", "amount": amount}
        status, made = self.call("POST", f"{PATHS[kind]}/pop", body, person.key)
        if status != 200:
            expected = "WorkerFlaggedMaintenance" if person.flagged else "AnonForbiddenWorker"
            assert made["rc"] == expected and (person.flagged or person.id == 0), made
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

    @rule(person=workers, kind=st.sampled_from(KINDS), outcomes=st.lists(OUTCOMES, min_size=1, max_size=4))
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
            assert made["rc"] == "InvalidJobID" and self.may_be_gone(asked)
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
        return self.call("POST", f"{PATHS[job.asked.kind]}/submit", body, key)

    @rule(job=jobs, stranger=people)
    def submit_for_another(self, job: Held, stranger: Person) -> None:
        if stranger is not job.owner:
            status, made = self._submit(job, "ok", stranger.key)
            assert (status, made["rc"]) in ((403, "WrongCredentials"), (404, "InvalidJobID"))

    @rule(asked=requests)
    def cancel(self, asked: Asked) -> None:
        """Its id is what the sender got, and nobody else."""
        status, _ = self.call("DELETE", f"{PATHS[asked.kind]}/status/{asked.id}", key=asked.owner.key)
        assert status == 200 or self.may_be_gone(asked)
        asked.cancelled = asked.cancelled or status == 200

    @rule(job=jobs)
    def cancel_by_what_a_worker_knows(self, job: Held) -> None:
        for path in PATHS.values():
            for known in (job.id, UNKNOWN_ID):
                status, made = self.call("DELETE", f"{path}/status/{known}", key=job.owner.key)
                assert (status, made["rc"]) == (404, "RequestNotFound")

    @rule(sender=people, receiver=people, amount=st.integers(-1, 400))
    def transfer(self, sender: Person, receiver: Person, amount: int) -> None:
        before = self.balances()
        body = {"username": receiver.alias, "amount": amount}
        status, _ = self.call("POST", "/kudos/transfer", body, sender.key)
        after = self.balances()
        if status == 200:
            assert amount > 0 and not (sender.flagged or receiver.flagged) and 0 not in (sender.id, receiver.id)
            assert after[sender.id] == before[sender.id] - 1000 * amount
            assert after[receiver.id] >= before[receiver.id] + 1000 * amount
        else:
            assert after == before

    @rule(person=people, amount=st.integers(-100, 100))
    def award(self, person: Person, amount: int) -> None:
        body = {"username": person.alias, "amount": amount}
        status, made = self.call("POST", "/kudos/award", body, self.owner.key)
        assert status == 200 or made["rc"] == ("KudosAwardToAnon" if person.id == 0 else "InvalidAwardUsername")

    @rule(by=people, person=people, flagged=st.booleans())
    def flag(self, by: Person, person: Person, flagged: bool) -> None:
        """Moderators decide who is trusted no more; the others cannot."""
        status, made = self.call("PUT", f"/users/{person.id}", {"flagged": flagged}, by.key)
        if status == 200:
            assert by.moderator and person.id != 0
            person.flagged = flagged
        elif 0 in (by.id, person.id):
            assert made["rc"] == "AnonForbiddenUserMod"
        else:
            assert (made["rc"], by.moderator) == ("NotModerator", False)

    @rule(by=people, person=people)
    def trust(self, by: Person, person: Person) -> None:
        """What was held back of a user's rewards becomes its own."""
        status, _ = self.call("PUT", f"/users/{person.id}", {"trusted": True}, by.key)
        assert (status == 200) == (by.moderator and person.id != 0)

    @rule(mode=st.sampled_from(["maintenance_mode", "invite_only_mode", "raid_mode"]), person=people)
    def a_mode_comes_and_goes(self, mode: str, person: Person) -> None:
        owner = self.owner.key
        assert self.call("PUT", "/status/modes", {mode: True}, owner)[0] == 200
        status, made = self.call("POST", "/generate/text/async", TEXT_REQUEST | {"dry_run": True}, person.key)
        assert (status == 400 and made["rc"] == "MaintenanceMode") or mode != "maintenance_mode"
        assert self.call("PUT", "/status/modes", {mode: False}, owner)[0] == 200
        for asked in self.memory.asked.values():
            asked.cancelled = asked.cancelled or (mode == "maintenance_mode" and asked.kind == "image")

    @rule(seconds=st.sampled_from([1, 30, 100, 200, 700, 1300]))
    def wait(self, seconds: int) -> None:
        """Time passes and the janitor makes his rounds: jobs go stale, requests expire, uptime is paid."""
        self.now_ms += seconds * 1000
        self.horde.clock.advance(seconds)
        for sweep in (janitor.sweep_stale, janitor.sweep_expired, janitor.sweep_blobs, janitor.save_presence):
            self.do(sweep(self.horde.co))

    @rule()
    def restart(self) -> None:
        self.close()
        self.open()

    @rule(person=people)
    def look_around(self, person: Person) -> None:
        """Nothing that is open to somebody tells of another's requests."""
        paths = ["find_user", "workers", "status/models?type=text", "status/performance", "status/heartbeat"]
        paths += [f"sharedkeys/{key.id}" for key in self.memory.keys]
        pages = ["limit=200"]
        if person.moderator:
            pages += [f"limit=200&user_id={other.id}" for other in self.memory.people]
        else:  # a moderator is shown which requests somebody has (contract 2.2)
            paths += [f"users/{other.id}" for other in self.memory.people]
        seen = "".join(self.do(self.horde.call("GET", f"/{path}", key=person.key)).text for path in paths)
        for page in pages:
            answer = self.do(self.horde.http.get(f"/api/node/v1/kudos?{page}", headers={"apikey": person.key}))
            assert answer.status_code == 200
            seen += answer.text
        for asked in self.memory.asked.values():
            assert asked.prompt not in seen
            if asked.owner is not person or person.id == 0:
                assert asked.id not in seen, "another user's request"

    @invariant()
    def the_database_is_sound(self) -> None:
        broken = broken_ledger_rules(self.folder / "hordenode.db")
        assert broken == {}

    @invariant()
    def what_is_remembered_is_what_is_stored(self) -> None:
        ids, db = [person.id for person in self.memory.people], self.horde.co.db
        assert self.do(db.write(lambda tx: often_read(tx, ids))) == self.do(db.read(lambda tx: often_read(tx, ids)))

    @invariant()
    def requests_stand_where_they_should(self) -> None:
        for asked in self.memory.asked.values():
            path = f"/generate/check/{asked.id}" if asked.kind == "image" else f"/generate/text/status/{asked.id}"
            status, check = self.call("GET", path)
            if status == 404:
                assert self.may_be_gone(asked)
                continue
            assert check["finished"] == asked.delivered, "a job counts once"
            total = check["waiting"] + check["processing"] + check["finished"]
            lost = asked.n - total
            assert lost == 0 or (lost > 0 and (asked.cancelled or check["faulted"]))
            assert check["done"] == (check["faulted"] or check["waiting"] + check["processing"] == 0)


HordeMachine.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=50, deadline=None)
TestHorde = HordeMachine.TestCase
