"""Modes and addresses in timeout: success, every refusal, and what they do (contract 18, 19)."""

from __future__ import annotations

import base64
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from hordenode.client.guard import Guard, parse_networks
from hordenode.coordinator import janitor
from tests.support.aio import run
from tests.support.contract import checked, refused
from tests.support.horde import (
    ALCHEMY_POP,
    ALCHEMY_REQUEST,
    ANONYMOUS,
    IMAGE_POP,
    IMAGE_REQUEST,
    RED_PNG,
    TEXT_POP,
    TEXT_REQUEST,
    open_horde,
)
from tests.support.staff import Staff, scenario, staff
from tests.support.web import web_server

MODES, SET_MODES = "GET /status/modes", "PUT /status/modes"
LIST, ADD, REMOVE = "GET /operations/ipaddr", "POST /operations/ipaddr", "DELETE /operations/ipaddr"
LOOK = "GET /operations/ipaddr/{ipaddr}"
BLOCK, UNBLOCK = (f"{method} /operations/block_worker_ipaddr/{{worker_id}}" for method in ("PUT", "DELETE"))
RATE = "POST /generate/rate/{id}"
HERE = "127.0.0.1"  # where the calls of a test come from
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


def test_modes_are_set_and_seen(tmp_path: Path) -> None:
    async def play(s: Staff) -> None:
        calm = {"maintenance_mode": False, "invite_only_mode": False}
        assert await checked(s.horde, MODES, 200) == calm
        assert await checked(s.horde, MODES, 200, key=s.somebody) == calm
        made = await checked(s.horde, SET_MODES, 200, {"raid_mode": True, "invite_only_mode": True}, key=s.moderator)
        assert made == {"raid_mode": True, "invite_only_mode": True}
        made = await checked(s.horde, SET_MODES, 200, {"maintenance_mode": True}, key=s.admin)
        assert made == {"maintenance_mode": True}
        everything = {"maintenance_mode": True, "invite_only_mode": True, "raid_mode": True}
        assert await checked(s.horde, MODES, 200, key=s.moderator) == everything
        assert "raid_mode" not in await checked(s.horde, MODES, 200, key=s.somebody)

    scenario(tmp_path, play)


def test_modes_survive_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        async with staff(tmp_path) as s:
            await checked(s.horde, SET_MODES, 200, {"maintenance_mode": True}, key=s.admin)
        async with open_horde(tmp_path) as horde:
            assert (await checked(horde, MODES, 200))["maintenance_mode"] is True

    run(main())


def test_who_may_not_set_modes(tmp_path: Path) -> None:
    async def play(s: Staff) -> None:
        await refused(s.horde, MODES, "InvalidAPIKey", key="nobody's")
        await refused(s.horde, SET_MODES, "InvalidAPIKey", {"raid_mode": True}, key="nobody's")
        await refused(s.horde, SET_MODES, "NotModerator", {"raid_mode": True}, key=s.admin)
        await refused(s.horde, SET_MODES, "NotAdmin", {"maintenance_mode": True}, key=s.moderator)
        await refused(s.horde, SET_MODES, "NoHordeModSelected", {}, key=s.moderator)
        both = {"maintenance_mode": True, "raid_mode": True}
        await refused(s.horde, SET_MODES, "NotAdmin", both, key=s.moderator)
        assert (await checked(s.horde, MODES, 200, key=s.moderator))["raid_mode"] is False
        made = await checked(s.horde, SET_MODES, 400, {"raid_mode": "yes"}, key=s.moderator)
        assert list(made["errors"]) == ["raid_mode"]

    scenario(tmp_path, play)


def test_maintenance_takes_no_requests_and_ends_what_waits_of_pictures(tmp_path: Path) -> None:
    async def play(s: Staff) -> None:
        many = IMAGE_REQUEST | {"params": IMAGE_REQUEST["params"] | {"n": 3}}
        picture = await s.horde.ok("POST", "/generate/async", many, key=ANONYMOUS)
        other = await s.horde.ok("POST", "/generate/async", IMAGE_REQUEST, key=ANONYMOUS)
        text = await s.horde.ok("POST", "/generate/text/async", TEXT_REQUEST, key=ANONYMOUS)
        job = await s.horde.ok("POST", "/generate/pop", IMAGE_POP, key=s.somebody)
        await checked(s.horde, SET_MODES, 200, {"maintenance_mode": True}, key=s.admin)
        await refused(s.horde, "POST /generate/async", "MaintenanceMode", IMAGE_REQUEST, key=ANONYMOUS)
        await refused(s.horde, "POST /generate/text/async", "MaintenanceMode", TEXT_REQUEST, key=ANONYMOUS)
        await refused(s.horde, "POST /interrogate/async", "MaintenanceMode", ALCHEMY_REQUEST, key=ANONYMOUS)
        check = await s.horde.ok("GET", f"/generate/check/{picture['id']}")
        assert (check["waiting"], check["processing"], check["done"]) == (0, 1, False)
        assert (await s.horde.ok("GET", f"/generate/check/{other['id']}"))["done"] is True
        assert (await s.horde.ok("POST", "/generate/pop", IMAGE_POP, key=s.somebody))["id"] is None
        await s.horde.ok("POST", "/generate/submit", {"id": job["id"], "generation": "R2", "seed": 1}, key=s.somebody)
        assert (await s.horde.ok("GET", f"/generate/check/{picture['id']}"))["done"] is True
        assert (await s.horde.ok("GET", f"/generate/text/status/{text['id']}"))["waiting"] == 1
        await checked(s.horde, SET_MODES, 200, {"maintenance_mode": False}, key=s.admin)
        await s.horde.ok("POST", "/generate/async", IMAGE_REQUEST, key=ANONYMOUS)

    scenario(tmp_path, play)


@pytest.mark.parametrize(
    ("route", "request_body"), [("POST /generate/async", IMAGE_REQUEST), ("POST /interrogate/async", ALCHEMY_REQUEST)]
)
def test_what_was_under_way_when_maintenance_began_is_refused(
    tmp_path: Path, route: str, request_body: dict[str, Any]
) -> None:
    async def play(s: Staff) -> None:
        async def resolve(host: str, port: int) -> list[str]:
            """Looking the picture's host up takes so long that the horde closes meanwhile."""
            await checked(s.horde, SET_MODES, 200, {"maintenance_mode": True}, key=s.admin)
            return [host]

        async with web_server() as server:
            server.answers = [(200, {}, base64.b64decode(RED_PNG))]
            s.horde.co.guard = Guard(parse_networks(["127.0.0.0/8"]), resolve=resolve)
            body = request_body | {"source_image": f"http://127.0.0.1:{server.port}/a.png"}
            await refused(s.horde, route, "MaintenanceMode", body, key=ANONYMOUS)
        performance = await s.horde.ok("GET", "/status/performance")
        assert (performance["queued_requests"], performance["queued_forms"]) == (0, 0)
        assert await s.horde.co.blobs.usage() == 0

    scenario(tmp_path, play)


def test_invite_only_lets_in_as_many_new_workers_as_were_invited(tmp_path: Path) -> None:
    async def play(s: Staff) -> None:
        await s.horde.ok("POST", "/generate/pop", IMAGE_POP, key=s.somebody)
        await checked(s.horde, SET_MODES, 200, {"invite_only_mode": True}, key=s.moderator)
        await s.horde.ok("POST", "/generate/pop", IMAGE_POP, key=s.somebody)  # known workers stay welcome
        await refused(s.horde, "POST /generate/text/pop", "WorkerInviteOnly", TEXT_POP, key=s.somebody)
        await refused(s.horde, "POST /generate/pop", "WorkerInviteOnly", IMAGE_POP | {"name": "two"}, key=s.somebody)
        await s.horde.change_user(3, worker_invited=2)
        await s.horde.ok("POST", "/generate/text/pop", TEXT_POP, key=s.somebody)
        await refused(s.horde, "POST /generate/pop", "WorkerInviteOnly", IMAGE_POP | {"name": "two"}, key=s.somebody)

    scenario(tmp_path, play)


def test_a_raid_withholds_the_hint_that_nobody_can_serve_a_request(tmp_path: Path) -> None:
    async def play(s: Staff) -> None:
        assert (await s.horde.ok("POST", "/generate/async", IMAGE_REQUEST, key=ANONYMOUS))["message"]
        await checked(s.horde, SET_MODES, 200, {"raid_mode": True}, key=s.moderator)
        assert set(await s.horde.ok("POST", "/generate/async", IMAGE_REQUEST, key=ANONYMOUS)) == {"id", "kudos"}
        assert set(await s.horde.ok("POST", "/generate/text/async", TEXT_REQUEST, key=ANONYMOUS)) == {"id", "kudos"}

    scenario(tmp_path, play)


def test_modes_that_another_program_sets_are_noticed(tmp_path: Path) -> None:
    async def play(s: Staff) -> None:
        assert await janitor.notice_changes(s.horde.co) is False
        other = sqlite3.connect(tmp_path / "hordenode.db")
        with other:
            other.execute("INSERT INTO modes VALUES ('maintenance', 1)")
        other.close()
        assert await janitor.notice_changes(s.horde.co) is True
        await refused(s.horde, "POST /generate/async", "MaintenanceMode", IMAGE_REQUEST, key=ANONYMOUS)
        assert await janitor.notice_changes(s.horde.co) is False

    scenario(tmp_path, play)


def test_an_address_in_timeout_neither_asks_nor_pops(tmp_path: Path) -> None:
    async def play(s: Staff) -> None:
        accepted = await s.horde.ok("POST", "/generate/async", IMAGE_REQUEST, key=ANONYMOUS)
        await checked(s.horde, ADD, 200, {"ipaddr": HERE, "hours": 1}, key=s.moderator)
        message = await refused(s.horde, "POST /generate/async", "TimeoutIP", IMAGE_REQUEST, key=ANONYMOUS)
        assert "3600 more seconds" in message
        await refused(s.horde, "POST /generate/text/async", "TimeoutIP", TEXT_REQUEST, key=ANONYMOUS)
        await refused(s.horde, "POST /generate/pop", "TimeoutIP", IMAGE_POP, key=s.somebody)
        await refused(s.horde, "POST /generate/text/pop", "TimeoutIP", TEXT_POP, key=s.somebody)
        await refused(s.horde, "POST /interrogate/pop", "TimeoutIP", ALCHEMY_POP, key=s.somebody)
        check, known = "GET /generate/check/{id}", {"Client-Agent": "mine:1:me"}
        await refused(s.horde, check, "Forbidden", id=accepted["id"])
        await checked(s.horde, check, 200, id=accepted["id"], headers=known)
        await checked(s.horde, "GET /generate/status/{id}", 200, id=accepted["id"])
        s.horde.clock.advance(3600)
        await checked(s.horde, check, 200, id=accepted["id"])
        await s.horde.ok("POST", "/generate/pop", IMAGE_POP, key=s.somebody)

    scenario(tmp_path, play)


@pytest.mark.parametrize("network", [HERE, "127.0.0.0/8", "::ffff:127.0.0.1", "127.0.0.7/24"])
def test_a_timeout_is_ended_by_what_started_it(tmp_path: Path, network: str) -> None:
    async def play(s: Staff) -> None:
        await checked(s.horde, ADD, 200, {"ipaddr": network, "hours": 1}, key=s.moderator)
        await refused(s.horde, "POST /generate/async", "TimeoutIP", IMAGE_REQUEST, key=ANONYMOUS)
        assert await checked(s.horde, REMOVE, 200, {"ipaddr": network}, key=s.moderator) == {"message": "OK"}
        await s.horde.ok("POST", "/generate/async", IMAGE_REQUEST, key=ANONYMOUS)

    scenario(tmp_path, play)


def test_timeouts_are_listed_and_looked_up(tmp_path: Path) -> None:
    async def play(s: Staff) -> None:
        for network, hours in [("10.0.0.0/8", 2), ("10.1.0.0/16", 3), ("10.1.2.3", 1), ("2001:db8::/32", 1)]:
            await checked(s.horde, ADD, 200, {"ipaddr": network, "hours": hours}, key=s.moderator)
        blocks = await checked(s.horde, LIST, 200, key=s.moderator)
        assert {entry["ipaddr"] for entry in blocks} == {"10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32"}
        found = await checked(s.horde, LOOK, 200, key=s.moderator, ipaddr="10.1.2.3")
        assert [(entry["ipaddr"], entry["seconds"]) for entry in found] == [
            ("10.0.0.0/8", 7200),
            ("10.1.0.0/16", 10800),
            ("10.1.2.3", 3600),
        ]
        block = await checked(s.horde, LOOK, 200, key=s.moderator, ipaddr="10.1.0.0%2F16")
        assert [entry["ipaddr"] for entry in block] == ["10.0.0.0/8", "10.1.0.0/16"]
        assert await checked(s.horde, LOOK, 200, key=s.moderator, ipaddr="11.1.2.3") == []
        s.horde.clock.advance(2 * 3600)
        assert [e["ipaddr"] for e in await checked(s.horde, LIST, 200, key=s.moderator)] == ["10.1.0.0/16"]

    scenario(tmp_path, play)


def test_a_workers_address_is_blocked_and_unblocked(tmp_path: Path) -> None:
    async def play(s: Staff) -> None:
        await s.horde.ok("POST", "/generate/pop", IMAGE_POP, key=s.somebody)
        worker = (await s.horde.ok("GET", "/workers"))[0]["id"]
        await checked(s.horde, BLOCK, 200, {"days": 2}, key=s.moderator, worker_id=worker)
        (entry,) = await checked(s.horde, LOOK, 200, key=s.moderator, ipaddr=HERE)
        assert entry == {"ipaddr": HERE, "seconds": 2 * 86400}
        await refused(s.horde, "POST /generate/pop", "TimeoutIP", IMAGE_POP, key=s.somebody)
        await checked(s.horde, UNBLOCK, 200, key=s.moderator, worker_id=worker)
        await s.horde.ok("POST", "/generate/pop", IMAGE_POP, key=s.somebody)

    scenario(tmp_path, play)


def test_of_a_worker_with_ipv6_the_household_is_blocked(tmp_path: Path) -> None:
    async def play(s: Staff) -> None:
        await s.horde.ok("POST", "/generate/pop", IMAGE_POP, key=s.somebody)
        worker = (await s.horde.ok("GET", "/workers"))[0]["id"]
        database = sqlite3.connect(tmp_path / "hordenode.db")
        with database:
            database.execute("UPDATE workers SET address = '2001:db8:1:2:3:4:5:6'")
        database.close()
        await checked(s.horde, BLOCK, 200, {"days": 1}, key=s.moderator, worker_id=worker)
        (entry,) = await checked(s.horde, LIST, 200, key=s.moderator)
        assert entry["ipaddr"] == "2001:db8:1:2::/64"

    scenario(tmp_path, play)


@pytest.mark.parametrize(("route", "body"), [(BLOCK, {"days": 1}), (UNBLOCK, None)])
def test_of_a_worker_without_an_address_nothing_can_be_blocked(
    tmp_path: Path, route: str, body: dict[str, Any] | None
) -> None:
    async def play(s: Staff) -> None:
        await s.horde.ok("POST", "/generate/pop", IMAGE_POP, key=s.somebody)
        worker = (await s.horde.ok("GET", "/workers"))[0]["id"]
        await s.horde.co.db.write(lambda tx: tx._execute("UPDATE workers SET address = ''"))
        made = await checked(s.horde, route, 400, body, key=s.moderator, worker_id=worker)
        assert made["rc"] == "BadRequest" and "without an address" in made["message"]

    scenario(tmp_path, play)


@pytest.mark.parametrize(
    ("route", "body"),
    [
        (LIST, None),
        (ADD, {"ipaddr": "10.0.0.1", "hours": 1}),
        (REMOVE, {"ipaddr": "10.0.0.1"}),
        (LOOK, None),
        (BLOCK, {"days": 1}),
        (UNBLOCK, None),
    ],
)
def test_address_operations_are_a_moderators(tmp_path: Path, route: str, body: dict[str, Any] | None) -> None:
    async def play(s: Staff) -> None:
        path: dict[str, Any] = {"ipaddr": "10.0.0.1", "worker_id": UNKNOWN_ID}
        await refused(s.horde, route, "InvalidAPIKey", body, key="nobody's", **path)
        for key in (ANONYMOUS, s.somebody, s.admin):
            await refused(s.horde, route, "NotModerator", body, key=key, **path)
        assert list((await checked(s.horde, route, 400, body, **path))["errors"]) == ["apikey"]
        if "worker_id" in route:
            await refused(s.horde, route, "WorkerNotFound", body, key=s.moderator, **path)

    scenario(tmp_path, play)


@pytest.mark.parametrize("address", ["999.1.1.1", "10.0.0.0/99", "example", "not an address"])
def test_what_is_no_address_is_refused(tmp_path: Path, address: str) -> None:
    async def play(s: Staff) -> None:
        await refused(s.horde, ADD, "BadRequest", {"ipaddr": address, "hours": 1}, key=s.moderator)
        await refused(s.horde, REMOVE, "BadRequest", {"ipaddr": address}, key=s.moderator)
        await refused(s.horde, LOOK, "BadRequest", key=s.moderator, ipaddr=address.replace("/", "%2F"))

    scenario(tmp_path, play)


@pytest.mark.parametrize(
    ("route", "body", "field"),
    [
        (ADD, {"ipaddr": "10.0.0.1", "hours": 0}, "hours"),
        (ADD, {"ipaddr": "10.0.0.1", "hours": 721}, "hours"),
        (ADD, {"ipaddr": "10.0.0.1"}, "hours"),
        (ADD, {"ipaddr": "1.1.1.", "hours": 1}, "ipaddr"),
        (REMOVE, {"ipaddr": "1" * 41}, "ipaddr"),
        (BLOCK, {"days": 31}, "days"),
    ],
)
def test_bounds_of_address_operations(tmp_path: Path, route: str, body: dict[str, Any], field: str) -> None:
    async def play(s: Staff) -> None:
        made = await checked(s.horde, route, 400, body, key=s.moderator, worker_id=UNKNOWN_ID)
        assert list(made["errors"]) == [field]

    scenario(tmp_path, play)
