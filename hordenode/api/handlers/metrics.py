"""/metrics in the text format of Prometheus: for this machine, and for the owner from elsewhere."""

from __future__ import annotations

from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from hordenode.api.handlers import caller_of, horde
from hordenode.api.route import Call
from hordenode.coordinator import counts
from hordenode.ops.metrics import CONTENT_TYPE
from hordenode.protocol.errors import HordeError


async def scrape(call: Call, scope: Scope, receive: Receive, send: Send) -> None:
    """GET. NotAdmin from an address that `metrics.allow` does not name, unless an admin's key is given."""
    co = horde(call)
    if call.client_ip not in co.rules.metrics_allow:
        user = await co.db.read(lambda tx: co.find_caller(tx, caller_of(call)))
        if user is None or not user.admin:
            raise HordeError("NotAdmin")
    text = await counts.render(co)
    await PlainTextResponse(text, headers={"content-type": CONTENT_TYPE})(scope, receive, send)
