"""Which browsers may read the answers: all, without credentials (contract api.json `common`, clients.md 2)."""

from __future__ import annotations

from starlette.types import Scope

Headers = list[tuple[bytes, bytes]]

SENT = "hordenode.common_headers"  # in a scope's state: this server sends the API's common headers with every answer

_ALLOWED_HEADERS = (
    "Accept",
    "Content-Type",
    "Content-Length",
    "Accept-Encoding",
    "X-CSRF-Token",
    "apikey",
    "Client-Agent",
    "X-Fields",
    "X-Forwarded-For",
    "Proxied-For",
    "Proxy-Authorization",
)

CORS_HEADERS: Headers = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, GET, OPTIONS, PUT, DELETE, PATCH"),
    (b"access-control-allow-headers", ", ".join(_ALLOWED_HEADERS).encode()),
]


def sends_common(scope: Scope) -> bool:
    """Whether the server adds the API's common headers to every answer itself: ready-made, not one by one."""
    return SENT in scope.get("state", ())


def preflight_headers(asked: dict[bytes, bytes]) -> Headers:
    """What an OPTIONS request gets beyond CORS_HEADERS; asked: its headers, names in lower case.

    Chromium asks before a public page may call an address of the local network.
    """
    if asked.get(b"access-control-request-private-network", b"").lower() == b"true":
        return [(b"access-control-allow-private-network", b"true")]
    return []
