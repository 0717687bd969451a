"""How the horde is doing, and what it is."""

from __future__ import annotations

from typing import Any

from hordenode.api.handlers import horde
from hordenode.api.route import Call
from hordenode.coordinator import statistics, status
from hordenode.domain.entities import Kind
from hordenode.protocol.statistics import ImageTotals, ModelTotals, TextTotals
from hordenode.protocol.status import ActiveModel, Heartbeat, Performance
from hordenode.version import HOMEPAGE, __version__


async def heartbeat(call: Call, _: None) -> Heartbeat:
    return await status.heartbeat(horde(call), __version__)


async def performance(call: Call, _: None) -> Performance:
    return await status.performance(horde(call))


async def models(call: Call, _: None) -> list[ActiveModel]:
    return await status.models(horde(call), call.query)


async def model(call: Call, _: None) -> list[ActiveModel]:
    return await status.model(horde(call), call.path_params["model_name"])


async def image_totals(call: Call, _: None) -> ImageTotals:
    return await statistics.image_totals(horde(call))


async def text_totals(call: Call, _: None) -> TextTotals:
    return await statistics.text_totals(horde(call))


async def image_model_totals(call: Call, _: None) -> ModelTotals:
    return await statistics.model_totals(horde(call), Kind.IMAGE, call.query.model_state)


async def text_model_totals(call: Call, _: None) -> ModelTotals:
    return await statistics.model_totals(horde(call), Kind.TEXT, "all")


async def serviceinfo(call: Call, _: None) -> dict[str, Any]:
    """`/.well-known/serviceinfo` (clients.md 5)."""
    return {
        "version": "0.2",
        "software": {"name": "hordenode", "version": __version__, "repository": HOMEPAGE, "homepage": HOMEPAGE},
        "api": {
            "aihorde": {
                "name": "AI Horde API",
                "version": "2.5",
                "base_url": f"{call.base_url}/api",
                "rel_url": "/v2",
                "documentation": f"{call.base_url}/api",
            }
        },
    }
