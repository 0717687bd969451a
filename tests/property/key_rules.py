"""Shared keys among what the state machine of the horde does: made, used, refilled, changed and deleted by anybody."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, multiple, rule

from tests.property.stage import KINDS, PATHS, POPS, Asked, Budget, Key, Person, Stage
from tests.support.horde import ALCHEMY_REQUEST

DAY_MS = 86_400_000
BUDGETS = st.sampled_from([-1, 0, 1, 3, 12, 50])
LIMITS = st.fixed_dictionaries(
    {
        "max_image_pixels": st.sampled_from([-1, -1, 256 * 256]),
        "max_image_steps": st.sampled_from([-1, -1, 20]),
        "max_text_tokens": st.sampled_from([-1, -1, 100]),
    }
)
SIZES = {
    "image": [{"width": 256, "height": 256, "steps": 20}, {"width": 512, "height": 320, "steps": 25}],
    "text": [{"max_length": 80}, {"max_length": 300}],
}


class KeyRules(Stage):
    people, keys, requests = Stage.people, Stage.keys, Stage.requests

    @rule(target=keys, person=people, budget=BUDGETS, limits=LIMITS, days=st.sampled_from([-1, -1, 1]))
    def make_key(self, person: Person, budget: int, limits: dict[str, int], days: int) -> Any:
        status, made = self.call("PUT", "/sharedkeys", {"kudos": budget, "expiry": days} | limits, person.key)
        if status != 200:
            few = sum(key.owner is person and not key.deleted for key in self.memory.keys) < 3
            assert made["rc"] == ("AnonForbidden" if person.id == 0 else "Forbidden") and (person.id == 0 or not few)
            return multiple()
        expires_ms = self.now_ms + DAY_MS if days > 0 else None
        key = Key(made["id"], person, Budget(None if budget < 0 else budget * 1000), limits, expires_ms)
        self.memory.keys.append(key)
        return key

    @rule(
        target=requests,
        key=keys,
        kind=st.sampled_from(KINDS),
        n=st.integers(1, 3),
        size=st.integers(0, 1),
        downgrade=st.booleans(),
    )
    def ask_with_key(self, key: Key, kind: str, n: int, size: int, downgrade: bool) -> Any:
        body = self.request(f"key {key.id}", kind, n, **SIZES[kind][size]) | {"allow_downgrade": downgrade}
        status, made = self.call("POST", f"{PATHS[kind]}/async", body, key.id)
        expired = key.expires_ms is not None and key.expires_ms <= self.now_ms
        if key.deleted:
            assert made["rc"] == "InvalidAPIKey"
        elif key.budget.left == 0:
            if status == 202:
                assert downgrade, "a key without kudos only asks as anybody may"
                return self.remember(made["id"], self.memory.people[1], kind, body)
            assert made["rc"] == ("TooManyPrompts" if downgrade else "SharedKeyEmpty")
        elif expired:
            assert made["rc"] == "SharedKeyExpired"
        elif status == 202:
            assert not key.too_small_for(kind, body["params"])
            return self.remember(made["id"], key.owner, kind, body, key)
        else:
            assert made["rc"] in self._reasons(key, kind, body["params"], downgrade), made
        return multiple()

    def _reasons(self, key: Key, kind: str, params: dict[str, int], downgrade: bool) -> set[str]:
        """Why a key that is good may yet be refused."""
        reasons = {"TooManyPrompts"}
        if key.too_small_for(kind, params):
            reasons.add("BadRequest")
        if key.budget.left is not None and not downgrade:
            reasons.add("SharedKeyInsufficientKudos")
        return reasons

    @rule(key=keys, kind=st.sampled_from(KINDS))
    def a_key_is_for_requests_only(self, key: Key, kind: str) -> None:
        for path, body in (
            (f"{PATHS[kind]}/pop", POPS[kind]),
            ("/interrogate/async", ALCHEMY_REQUEST),
            ("/kudos/transfer", {"username": self.owner.alias, "amount": 1}),
        ):
            status, made = self.call("POST", path, body, key.id)
            assert (status, made["rc"]) == (401, "InvalidAPIKey")

    @rule(key=keys, person=people, amount=st.integers(1, 60))
    def refill_key(self, key: Key, person: Person, amount: int) -> None:
        before = self.balances()
        status, _ = self.call("POST", "/kudos/transfer", {"username": key.id, "amount": amount}, person.key)
        if status != 200:
            assert self.balances() == before
            return
        assert not key.deleted
        assert self.balances()[person.id] == before[person.id] - 1000 * amount
        key.budget.give(1000 * amount)

    @rule(key=keys, person=people, budget=BUDGETS, limits=LIMITS)
    def change_key(self, key: Key, person: Person, budget: int, limits: dict[str, int]) -> None:
        status, made = self.call("PATCH", f"/sharedkeys/{key.id}", {"kudos": budget} | limits, person.key)
        if status == 200:
            assert person is key.owner and not key.deleted
            key.budget.left = None if budget < 0 else budget * 1000
            key.limits = limits
        else:
            assert made["rc"] == ("InvalidAPIKey" if key.deleted else "Forbidden")
            assert key.deleted or person is not key.owner

    @rule(key=keys, person=people)
    def delete_key(self, key: Key, person: Person) -> None:
        """With all that was asked with it."""
        status, made = self.call("DELETE", f"/sharedkeys/{key.id}", key=person.key)
        if status == 200:
            assert person is key.owner and not key.deleted
            key.deleted = True
            for asked in self._with(key):
                asked.deleted = True
        else:
            assert made["rc"] == ("InvalidAPIKey" if key.deleted else "Forbidden")

    def _with(self, key: Key) -> list[Asked]:
        return [asked for asked in self.memory.asked.values() if asked.key is key]

    @invariant()
    def keys_spend_what_the_ledger_says_and_never_more_than_they_have(self) -> None:
        lines = self.do(
            self.horde.rows(
                "SELECT id, request_id, amount FROM ledger"
                f" WHERE id > {self.memory.read_to} AND target = -2 ORDER BY id"
            )
        )
        for line_id, request_id, amount in lines:
            self.memory.read_to = line_id
            asked = self.memory.asked.get(request_id)
            if asked is not None and asked.key is not None:
                asked.key.budget.charge(amount)
        stored = self.do(self.horde.rows("SELECT id, budget, utilized FROM shared_keys ORDER BY id"))
        there = sorted((key for key in self.memory.keys if not key.deleted), key=lambda key: key.id)
        assert stored == [(key.id, key.budget.left, key.budget.utilized) for key in there]
        assert all(left is None or left >= 0 for _, left, _ in stored)

    @invariant()
    def what_was_asked_with_a_deleted_key_is_gone(self) -> None:
        for asked in self.memory.asked.values():
            if asked.deleted:
                status, made = self.call("GET", f"{PATHS[asked.kind]}/status/{asked.id}")
                assert (status, made["rc"]) == (404, "RequestNotFound")
