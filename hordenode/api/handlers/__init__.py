"""One module per noun: from a call to a use case of the coordinator. No rules here."""

from __future__ import annotations

from hordenode.api.caller import is_address
from hordenode.api.route import Call
from hordenode.coordinator.context import Caller, Coordinator


def horde(call: Call) -> Coordinator:
    """The coordinator behind the API."""
    services: Coordinator = call.services
    return services


def caller_of(call: Call) -> Caller:
    """Who calls, as use cases want to know it."""
    return Caller(
        apikey=call.apikey,
        client_agent=call.client_agent,
        address=call.client_ip,
        base_url=call.base_url,
        proxy=_proxy(call) if b"proxy-authorization" in call.headers else None,
    )


def _proxy(call: Call) -> tuple[str, str] | None:
    passkey, address = call.header("proxy-authorization"), call.header("proxied-for")
    return (passkey, address.strip()) if passkey and address and is_address(address.strip()) else None
