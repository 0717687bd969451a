"""Refusals of modes, addresses, documents, filters, numbers and models."""

from __future__ import annotations

from tests.contract.refusals.case import Case
from tests.support.people import UNKNOWN, People

ADDRESS = {"ipaddr": "192.0.2.1"}
FILTER = {"regex": "cat", "filter_type": 10}
WORKER_ADDRESS = "/operations/block_worker_ipaddr/{worker_id}"


async def filter_there(people: People) -> dict[str, str]:
    return {"filter_id": (await people.ok("moderator", "PUT", "/filters", FILTER))["id"]}


CASES = [
    Case("GET /status/modes", "InvalidAPIKey", "nobody"),
    Case("PUT /status/modes", "InvalidAPIKey", "nobody", {"raid_mode": True}),
    Case("PUT /status/modes", "NoHordeModSelected", "moderator", {}),
    Case("PUT /status/modes", "NotAdmin", "moderator", {"maintenance_mode": True}),
    Case("PUT /status/modes", "NotModerator", "trusted", {"raid_mode": True}),
    Case("PUT /status/modes", "NotModerator", "anonymous", {"invite_only_mode": True}),
    Case("GET /status/models", "BadRequest", "none", query="?type=video"),
    Case("GET /status/models", "BadRequest", "none", query="?model_state=odd"),
    Case("GET /stats/img/models", "BadRequest", "none", query="?model_state=odd"),
    *(Case(f"GET /documents/{name}", "BadRequest", "none", query="?format=pdf") for name in ("terms", "privacy", "sponsors")),
    Case("POST /operations/ipaddr", "BadRequest", "moderator", {"ipaddr": "not an address", "hours": 1}),
    Case("DELETE /operations/ipaddr", "BadRequest", "moderator", {"ipaddr": "10.0.0.0/99"}),
    Case("GET /operations/ipaddr/{ipaddr}", "BadRequest", "moderator", path={"ipaddr": "999.1.1.1"}),
    Case(f"PUT {WORKER_ADDRESS}", "WorkerNotFound", "moderator", {"days": 1}, path={"worker_id": UNKNOWN}),
    Case(f"DELETE {WORKER_ADDRESS}", "WorkerNotFound", "moderator", path={"worker_id": UNKNOWN}),
    Case("GET /filters/{filter_id}", "FilterNotFound", "moderator", path={"filter_id": UNKNOWN}),
    Case("PATCH /filters/{filter_id}", "FilterNotFound", "moderator", {"regex": "x"}, path={"filter_id": UNKNOWN}),
    Case("PATCH /filters/{filter_id}", "NoFilterModSelected", "moderator", {}, prepare=filter_there),
    Case("DELETE /filters/{filter_id}", "FilterNotFound", "moderator", path={"filter_id": UNKNOWN}),
]  # fmt: skip
for route, body in {
    "GET /operations/ipaddr": None,
    "POST /operations/ipaddr": ADDRESS | {"hours": 1},
    "DELETE /operations/ipaddr": ADDRESS,
    "GET /operations/ipaddr/{ipaddr}": None,
    f"PUT {WORKER_ADDRESS}": {"days": 1},
    f"DELETE {WORKER_ADDRESS}": None,
    "GET /filters": None,
    "PUT /filters": FILTER,
    "POST /filters": {"prompt": "a cat"},
    "GET /filters/regex": None,
    "GET /filters/{filter_id}": None,
    "PATCH /filters/{filter_id}": {"replacement": "x"},
    "DELETE /filters/{filter_id}": None,
}.items():
    prepare = filter_there if "{filter_id}" in route else None
    path = ADDRESS if "{ipaddr}" in route else {}
    CASES += [
        Case(route, "InvalidAPIKey", "nobody", body, path=path, prepare=prepare),
        *(Case(route, "NotModerator", who, body, path=path, prepare=prepare) for who in ("anonymous", "trusted")),
    ]
