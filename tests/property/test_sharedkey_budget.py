"""Whatever is asked, delivered and changed in whatever order: a shared key's numbers are those of the ledger."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.stage import Budget
from tests.support.aio import run
from tests.support.horde import TEXT_POP, TEXT_REQUEST, Horde, open_horde

# Numbers are new budgets in kudos; -1 is no limit.
STEPS = st.lists(
    st.sampled_from(["ask with the key", "ask with the key", "ask without", "deliver", "deliver", -1, 0, 1, 3, 12]),
    min_size=5,
    max_size=30,
)


@dataclass(slots=True)
class Story:
    """A horde with an owner, its key and a worker; `with_key`: ids of requests made with it."""

    horde: Horde
    owner: str
    worker: str
    key: str
    budget: Budget
    with_key: set[str] = field(default_factory=set)
    read_to: int = 0

    async def step(self, what: str | int) -> None:
        if isinstance(what, int):
            await self.horde.ok("PATCH", f"/sharedkeys/{self.key}", {"kudos": what}, key=self.owner)
            self.budget.left = None if what < 0 else what * 1000
        elif what == "deliver":
            job = await self.horde.ok("POST", "/generate/text/pop", TEXT_POP, key=self.worker)
            if job["id"]:
                body = {"id": job["id"], "generation": "x" * 400}
                await self.horde.ok("POST", "/generate/text/submit", body, key=self.worker)
        else:
            with_key = what == "ask with the key"
            answer = await self.horde.call(
                "POST", "/generate/text/async", TEXT_REQUEST, key=self.key if with_key else self.owner
            )
            if answer.status_code == 202 and with_key:
                self.with_key.add(answer.json()["id"])
        await self.follow_ledger()

    async def follow_ledger(self) -> None:
        """What was burnt since the last step for requests made with the key."""
        lines = await self.horde.rows(
            f"SELECT id, request_id, amount FROM ledger WHERE id > {self.read_to} AND target = -2 ORDER BY id"
        )
        for line_id, request_id, amount in lines:
            self.read_to = line_id
            if request_id in self.with_key:
                self.budget.charge(amount)

    async def check(self) -> None:
        found = await self.horde.rows(f"SELECT budget, utilized FROM shared_keys WHERE id = '{self.key}'")
        assert found == [(self.budget.left, self.budget.utilized)]
        assert await self.horde.ledger_sum() == 0


@given(steps=STEPS)
@settings(max_examples=40, deadline=None)
def test_budget_and_use_follow_the_ledger(steps: list[str | int]) -> None:
    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with open_horde(Path(folder)) as horde:
                owner = await horde.user("owner", concurrency=500, kudos_amount=1000)
                made = await horde.ok("PUT", "/sharedkeys", {"kudos": 10}, key=owner)
                story = Story(horde, owner, await horde.worker_key(), made["id"], Budget(10_000))
                for what in steps:
                    await story.step(what)
                    await story.check()

    run(main())
