"""Calls whose answers must fit the published API."""

from __future__ import annotations

from typing import Any

from tests.contract.schema import ROUTES, validate
from tests.support.horde import Horde


async def checked(
    horde: Horde,
    route: str,
    status: int,
    body: Any = None,
    *,
    key: str | None = None,
    headers: dict[str, str] | None = None,
    query: str = "",
    **path: Any,
) -> Any:
    """The JSON of a call to a route of api.json (`POST /kudos/transfer`), whose status is expected.

    path: the values of the parameters in the route's path.
    """
    method, _, template = route.partition(" ")
    address = template.format(**path) + (f"?{query}" if query else "")
    answer = await horde.call(method, address, body, key=key, headers=headers)
    assert answer.status_code == status, f"{route}: {answer.status_code} {answer.text[:500]}"
    made = answer.json()
    validate(route, status, made)
    return made


async def refused(horde: Horde, route: str, rc: str, body: Any = None, **options: Any) -> str:
    """The message of a call that must be refused with an rc that the route lists, and nothing else."""
    known = {listed: error["status"] for error in ROUTES[route]["errors"] for listed in error["rc"]}
    assert rc in known, f"api.json does not list {rc} for {route}"
    made = await checked(horde, route, known[rc], body, **options)
    assert made["rc"] == rc, made
    return str(made["message"])
