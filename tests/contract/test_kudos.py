"""Transfers and awards: success and every refusal (contract 10.8, 10.9), and the ledger page that explains them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hordenode.domain.entities import SharedKey
from hordenode.store import sharedkeys, suspicions
from tests.support.aio import run
from tests.support.contract import checked, refused
from tests.support.horde import ANONYMOUS, Horde, open_horde
from tests.support.invariants import broken_ledger_rules

TRANSFER = "POST /kudos/transfer"
AWARD = "POST /kudos/award"
KEY_ID = "11111111-2222-4333-8444-555555555555"


class People:
    """owner#1 gives awards, alice#2 has 1000 kudos, bob#3 has the minimum."""

    def __init__(self, horde: Horde, owner: str, alice: str, bob: str) -> None:
        self.horde, self.owner, self.alice, self.bob = horde, owner, alice, bob


def scenario(tmp_path: Path, play: Callable[[People], Awaitable[None]]) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            owner = await horde.user("owner", admin=True, moderator=True)
            alice = await horde.user("alice", kudos_amount=1000, trusted=False)
            await play(People(horde, owner, alice, await horde.user("bob", kudos_amount=25, trusted=False)))
        assert broken_ledger_rules(tmp_path / "hordenode.db") == {}

    run(main())


def test_a_transfer_moves_kudos(tmp_path: Path) -> None:
    async def play(p: People) -> None:
        made = await checked(p.horde, TRANSFER, 200, {"username": "bob#3", "amount": 40}, key=p.alice)
        assert made == {"transferred": 40.0}
        assert (await p.horde.balance(2), await p.horde.balance(3)) == (960, 65)
        details = (await p.horde.ok("GET", "/find_user", key=p.alice))["kudos_details"]
        assert (details["gifted"], details["donated"]) == (-40, 0)
        assert (await p.horde.ok("GET", "/find_user", key=p.bob))["kudos_details"]["received"] == 40

    scenario(tmp_path, play)


@pytest.mark.parametrize(
    ("body", "moved"),
    [
        ({"username": "bob#3"}, 100),  # the default
        ({"username": "3", "amount": 7}, 7),  # a bare id is an alias too
        ({"username": "whoever#3", "amount": 7.9}, 7),  # only the id counts; fractions are cut
    ],
)
def test_what_a_transfer_understands(tmp_path: Path, body: dict[str, Any], moved: int) -> None:
    async def play(p: People) -> None:
        assert await checked(p.horde, TRANSFER, 200, body, key=p.alice) == {"transferred": float(moved)}
        assert await p.horde.balance(3) == 25 + moved

    scenario(tmp_path, play)


@pytest.mark.parametrize(
    ("rc", "body", "change"),
    [
        ("InvalidTargetUsername", {"username": "nobody#99"}, {}),
        ("InvalidTargetUsername", {"username": "bob"}, {}),
        ("KudosTransferToAnon", {"username": "Anonymous#0"}, {}),
        ("KudosTransferToSelf", {"username": "alice#2"}, {}),
        ("SourceAccountFlagged", {"username": "bob#3"}, {2: {"flagged": True}}),
        ("EducationCannotSendKudos", {"username": "bob#3"}, {2: {"education": True}}),
        ("TargetAccountFlagged", {"username": "bob#3"}, {3: {"flagged": True}}),
        ("DeletedUser", {"username": "bob#3"}, {3: {"deleted": True}}),
        ("DeletedUser", {"username": "bob#3"}, {2: {"deleted": True}}),
        ("NegativeKudosTransfer", {"username": "bob#3", "amount": -1}, {}),
        ("InvalidKudosTransferAmount", {"username": "bob#3", "amount": 0}, {}),
        ("KudosTransferNotEnough", {"username": "bob#3", "amount": 976}, {}),  # 25 always stay
    ],
)
def test_refused_transfers(tmp_path: Path, rc: str, body: dict[str, Any], change: dict[int, dict[str, Any]]) -> None:
    async def play(p: People) -> None:
        for user_id, fields in change.items():
            await p.horde.change_user(user_id, **fields)
        await refused(p.horde, TRANSFER, rc, body, key=p.alice)
        assert (await p.horde.balance(2), await p.horde.balance(3)) == (1000, 25)

    scenario(tmp_path, play)


def test_who_may_not_send_at_all(tmp_path: Path) -> None:
    async def play(p: People) -> None:
        await refused(p.horde, TRANSFER, "KudosTransferFromAnon", {"username": "bob#3"}, key=ANONYMOUS)
        await refused(p.horde, TRANSFER, "InvalidAPIKey", {"username": "bob#3"}, key="nobody's")
        made = await checked(p.horde, TRANSFER, 400, {"username": "bob#3"})
        assert list(made["errors"]) == ["apikey"]

    scenario(tmp_path, play)


@pytest.mark.parametrize(("suspect", "rc"), [(2, "FaultWhenKudosSending"), (3, "FaultWhenKudosReceiving")])
def test_suspicious_users_neither_send_nor_receive(tmp_path: Path, suspect: int, rc: str) -> None:
    async def play(p: People) -> None:
        for _ in range(5):
            await p.horde.co.db.write(lambda tx: suspicions.add(tx, suspect, None, "too fast", 0, again=True))
        await refused(p.horde, TRANSFER, rc, {"username": "bob#3"}, key=p.alice)
        await p.horde.change_user(suspect, trusted=True)  # who is trusted is never suspicious
        await checked(p.horde, TRANSFER, 200, {"username": "bob#3"}, key=p.alice)

    scenario(tmp_path, play)


def test_kudos_are_not_sent_back_within_a_minute(tmp_path: Path) -> None:
    async def play(p: People) -> None:
        await checked(p.horde, TRANSFER, 200, {"username": "bob#3", "amount": 100}, key=p.alice)
        back = {"username": "alice#2", "amount": 50}
        await refused(p.horde, TRANSFER, "TooFastKudosTransfers", back, key=p.bob)
        p.horde.clock.advance(61)
        await checked(p.horde, TRANSFER, 200, back, key=p.bob)

    scenario(tmp_path, play)


def test_an_idempotency_key_moves_once(tmp_path: Path) -> None:
    async def play(p: People) -> None:
        sent, once = {"username": "bob#3", "amount": 10}, {"Idempotency-Key": "first"}
        for _ in range(3):
            made = await checked(p.horde, TRANSFER, 200, sent, key=p.alice, headers=once)
            assert made == {"transferred": 10.0}
        assert await p.horde.balance(3) == 35
        await refused(p.horde, TRANSFER, "IdempotencyKeyConflict", sent | {"amount": 11}, key=p.alice, headers=once)
        await refused(
            p.horde, TRANSFER, "IdempotencyKeyConflict", sent | {"username": "owner#1"}, key=p.alice, headers=once
        )
        await checked(p.horde, TRANSFER, 200, sent, key=p.alice, headers={"Idempotency-Key": "second"})
        await checked(p.horde, TRANSFER, 200, sent, key=p.alice)
        assert await p.horde.balance(3) == 55
        made = await checked(p.horde, TRANSFER, 400, sent, key=p.alice, headers={"Idempotency-Key": "x" * 256})
        assert list(made["errors"]) == ["Idempotency-Key"]

    scenario(tmp_path, play)


def test_a_refused_transfer_does_not_use_up_its_idempotency_key(tmp_path: Path) -> None:
    async def play(p: People) -> None:
        sent, once = {"username": "bob#3", "amount": 976}, {"Idempotency-Key": "first"}
        await refused(p.horde, TRANSFER, "KudosTransferNotEnough", sent, key=p.alice, headers=once)
        await checked(p.horde, AWARD, 200, {"username": "alice#2", "amount": 1}, key=p.owner)
        await checked(p.horde, TRANSFER, 200, sent, key=p.alice, headers=once)

    scenario(tmp_path, play)


def test_kudos_for_an_education_account_count_as_donated(tmp_path: Path) -> None:
    async def play(p: People) -> None:
        await p.horde.change_user(3, education=True)
        await checked(p.horde, TRANSFER, 200, {"username": "bob#3", "amount": 10}, key=p.alice)
        details = (await p.horde.ok("GET", "/find_user", key=p.alice))["kudos_details"]
        assert (details["gifted"], details["donated"]) == (0, -10)

    scenario(tmp_path, play)


def test_a_shared_key_is_a_target_too(tmp_path: Path) -> None:
    async def play(p: People) -> None:
        key = SharedKey(KEY_ID, 3, "family", 0, p.horde.clock.now_ms() + 1000, 5000)
        await p.horde.co.db.write(lambda tx: sharedkeys.insert(tx, key))
        await checked(p.horde, TRANSFER, 200, {"username": KEY_ID, "amount": 10}, key=p.alice)
        stored = await p.horde.co.db.read(lambda tx: sharedkeys.find(tx, KEY_ID))
        assert stored is not None and stored.budget == 15_000
        assert await p.horde.balance(3) == 35
        p.horde.clock.advance(2)
        await refused(p.horde, TRANSFER, "SharedKeyExpired", {"username": KEY_ID}, key=p.alice)

    scenario(tmp_path, play)


@pytest.mark.parametrize("body", [{}, {"username": 5}, {"username": "bob#3", "amount": "ten"}, {"username": None}])
@pytest.mark.parametrize("route", [TRANSFER, AWARD])
def test_malformed_bodies_are_violations(tmp_path: Path, route: str, body: dict[str, Any]) -> None:
    async def play(p: People) -> None:
        assert (await checked(p.horde, route, 400, body, key=p.owner))["errors"]

    scenario(tmp_path, play)


@pytest.mark.parametrize("amount", [10**30, -(10**13), 1e300])
def test_amounts_beyond_all_reason_are_violations(tmp_path: Path, amount: float) -> None:
    async def play(p: People) -> None:
        body = {"username": "bob#3", "amount": amount}
        assert "amount" in (await checked(p.horde, AWARD, 400, body, key=p.owner))["errors"]

    scenario(tmp_path, play)


def test_the_owner_awards_kudos(tmp_path: Path) -> None:
    async def play(p: People) -> None:
        made = await checked(p.horde, AWARD, 200, {"username": "bob#3", "amount": 500}, key=p.owner)
        assert made == {"awarded": 500.0}
        assert await p.horde.balance(3) == 525
        assert (await p.horde.ok("GET", "/find_user", key=p.bob))["kudos_details"]["awarded"] == 500
        await checked(p.horde, AWARD, 200, {"username": "bob#3", "amount": -10_000}, key=p.owner)
        assert await p.horde.balance(3) == 25

    scenario(tmp_path, play)


def test_refused_awards(tmp_path: Path) -> None:
    async def play(p: People) -> None:
        body = {"username": "bob#3"}
        await refused(p.horde, AWARD, "InvalidAPIKey", body, key="nobody's")
        await refused(p.horde, AWARD, "NotAllowedAwards", body, key=p.alice)
        await refused(p.horde, AWARD, "InvalidAwardUsername", {"username": "nobody#99"}, key=p.owner)
        await refused(p.horde, AWARD, "KudosAwardToAnon", {"username": "Anonymous#0"}, key=p.owner)
        await p.horde.change_user(3, flagged=True)
        await refused(p.horde, AWARD, "InvalidAwardUsername", body, key=p.owner)
        await p.horde.change_user(3, deleted=True)
        await refused(p.horde, AWARD, "DeletedUser", body, key=p.owner)

    scenario(tmp_path, play)


def test_the_ledger_page_explains_each_movement(tmp_path: Path) -> None:
    async def play(p: People) -> None:
        await checked(p.horde, AWARD, 200, {"username": "alice#2", "amount": 5}, key=p.owner)
        await checked(p.horde, TRANSFER, 200, {"username": "bob#3", "amount": 40}, key=p.alice)
        page = await node_page(p.horde, p.alice)
        assert (page["username"], page["kudos"], page["held"], page["next"]) == ("alice#2", 965.0, 0.0, None)
        assert [(line["amount"], line["balance"], line["what"], line["how"]) for line in page["lines"]] == [
            (-40.0, 965.0, "transfer", "to bob#3"),
            (5.0, 1005.0, "award", "by owner#1"),
            (1000.0, 1000.0, "changed by the owner of the horde", ""),
        ]
        (line, first) = (await node_page(p.horde, p.bob))["lines"]
        assert (line["amount"], line["balance"], line["how"]) == (40.0, 65.0, "from alice#2")
        assert first["at"] == "Tue, 14 Nov 2023 22:13:20 -0000"

    scenario(tmp_path, play)


def test_the_ledger_page_goes_on(tmp_path: Path) -> None:
    async def play(p: People) -> None:
        for amount in range(1, 6):
            await checked(p.horde, TRANSFER, 200, {"username": "bob#3", "amount": amount}, key=p.alice)
        seen, before = [], ""
        for _ in range(3):
            page = await node_page(p.horde, p.alice, f"limit=2{before}")
            seen += [(line["amount"], line["balance"]) for line in page["lines"]]
            before = f"&before={page['next']}"
        assert page["next"] is None
        assert seen == [(-5, 985), (-4, 990), (-3, 994), (-2, 997), (-1, 999), (1000, 1000)]

    scenario(tmp_path, play)


def test_only_moderators_see_the_ledger_of_others(tmp_path: Path) -> None:
    async def play(p: People) -> None:
        assert (await node_page(p.horde, p.owner, "user_id=2"))["username"] == "alice#2"
        for key, query, status, rc in [
            (p.alice, "user_id=3", 403, "NotModerator"),
            (p.owner, "user_id=99", 404, "UserNotFound"),
            ("nobody's", "", 401, "InvalidAPIKey"),
        ]:
            answer = await p.horde.http.get(f"/api/node/v1/kudos?{query}", headers={"apikey": key})
            assert (answer.status_code, answer.json()["rc"]) == (status, rc)

    scenario(tmp_path, play)


async def node_page(horde: Horde, key: str, query: str = "") -> Any:
    answer = await horde.http.get(f"/api/node/v1/kudos?{query}", headers={"apikey": key})
    assert answer.status_code == 200, answer.text
    return answer.json()
