"""A node that is killed while machines join: what was acknowledged stays, and no code lets two in."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from tests.support.node_process import NodeProcess, node_process

MACHINES, THREADS, KILLED_AFTER = 30, 8, 8


@contextmanager
def client(node: NodeProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=node.url, timeout=30) as http:
        yield http


def make_codes(http: httpx.Client, owner_key: str) -> list[str]:
    path, owner = "/api/node/v1/invitations", {"apikey": owner_key}
    made = [http.post(path, json={"worker": True}, headers=owner).raise_for_status() for _ in range(MACHINES)]
    return [answer.json()["code"] for answer in made]


def join(http: httpx.Client, code: str, number: int) -> httpx.Response:
    body = {"code": code, "name": f"machine {number}", "attempt": f"{number:064}"}
    return http.post("/api/node/v1/workers", json=body)


def machines(http: httpx.Client) -> list[str]:
    """Names of the accounts that machines have."""
    users = [user for page in (1, 2) for user in http.get(f"/api/v2/users?page={page}").json()]
    return sorted(name for user in users if (name := user["username"].rpartition("#")[0]).startswith("machine"))


def test_machines_that_join_while_the_node_is_killed_keep_what_they_got(tmp_path: Path) -> None:
    acknowledged: dict[int, Any] = {}
    with node_process(tmp_path / "node", "--no-engine") as node, client(node) as http:

        def try_to_join(code: str, number: int) -> None:
            with suppress(httpx.TransportError):
                acknowledged[number] = join(http, code, number).raise_for_status().json()
                if len(acknowledged) >= KILLED_AFTER:
                    node.process.kill()

        codes = make_codes(http, node.owner_key)
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(try_to_join, codes, range(MACHINES)))
        node.kill()
    assert KILLED_AFTER <= len(acknowledged) < MACHINES
    with node_process(tmp_path / "node", "--no-engine") as node, client(node) as http:
        for got in acknowledged.values():
            user = http.get("/api/v2/find_user", headers={"apikey": got["apikey"]}).json()
            assert user["id"] == got["id"]
        for number, code in enumerate(codes):  # a machine that heard nothing types its line again
            again = join(http, code, number).raise_for_status().json()
            assert again == acknowledged.get(number, again)
        assert machines(http) == sorted(f"machine {number}" for number in range(MACHINES))
        for number, code in enumerate(codes[:8]):
            assert join(http, code, 1000 + number).status_code == 403
