"""Ratings: there is no rating server behind a private horde, and nothing is ever shared with one (contract 26)."""

from __future__ import annotations

from typing import Never

from hordenode.coordinator.context import Coordinator
from hordenode.domain import lifecycle
from hordenode.domain.entities import Kind
from hordenode.protocol.errors import HordeError
from hordenode.store import requests


async def rate(co: Coordinator, request_id: str) -> Never:
    """POST /generate/rate/{id}: always refused, with the reason that fits the request."""
    wp = await co.db.read(lambda tx: requests.find(tx, request_id, Kind.IMAGE))
    if wp is None:
        raise HordeError("RequestNotFound", id=request_id)
    if not lifecycle.is_done(wp):
        raise HordeError("AestheticsNotCompleted")
    raise HordeError("AestheticsNotPublic")
