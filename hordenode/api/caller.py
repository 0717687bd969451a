"""Who calls, and by which address: read from the ASGI scope and its headers."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from starlette.types import Scope

from hordenode.api.route import ApiSettings
from hordenode.protocol.common import UNKNOWN_AGENT

MAX_AGENT = 1000  # characters of a Client-Agent that are kept
_HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")

HeaderMap = dict[bytes, bytes]


class Callers:
    """Reads addresses; forwarded headers count only when the peer is one of settings.trusted_proxies."""

    def __init__(self, settings: ApiSettings) -> None:
        self._public_url = settings.public_url.rstrip("/")
        self._trusted: tuple[IPv4Network | IPv6Network, ...] = tuple(
            ip_network(proxy, strict=False) for proxy in settings.trusted_proxies
        )

    def client_ip(self, scope: Scope, headers: HeaderMap) -> str:
        """The caller's address; `127.0.0.1` for a peer without one (a socket file, a call inside the process)."""
        client = scope.get("client")
        peer: str = client[0] if client and client[0] else "127.0.0.1"
        if b"x-forwarded-for" not in headers or not self._trusts(peer):
            return peer
        hop = headers[b"x-forwarded-for"].decode("latin-1").rpartition(",")[2].strip()
        return hop if is_address(hop) else peer

    def base_url(self, scope: Scope, headers: HeaderMap) -> str:
        """Scheme, host and mount point by which the caller reached the app, without a slash at the end."""
        if self._public_url:
            return self._public_url
        scheme = scope.get("scheme", "http")
        if self._trusted and b"x-forwarded-proto" in headers:
            client = scope.get("client")
            if headers[b"x-forwarded-proto"] in (b"http", b"https") and self._trusts(client[0] if client else ""):
                scheme = headers[b"x-forwarded-proto"].decode()
        return _base_url(scheme, headers.get(b"host", b""), scope.get("server"), scope.get("root_path", ""))

    def _trusts(self, peer: str) -> bool:
        return bool(self._trusted) and is_address(peer) and any(ip_address(peer) in net for net in self._trusted)


@lru_cache(maxsize=256)
def _base_url(scheme: str, host: bytes, server: tuple[str, int | None] | None, root_path: str) -> str:
    named = host.decode("latin-1")
    if not _HOST.fullmatch(named):  # HTTP/1.0, or nonsense that must not get into a URL
        named = _own_host(server)
    return f"{scheme}://{named}{root_path.rstrip('/')}"


def _own_host(server: tuple[str, int | None] | None) -> str:
    """The server's own address as it stands in a URL; without a port it listens on a socket file."""
    if server is None or server[1] is None:
        return "localhost"
    return f"[{server[0]}]:{server[1]}" if ":" in server[0] else f"{server[0]}:{server[1]}"


def client_agent(headers: HeaderMap) -> str:
    agent = headers.get(b"client-agent")
    return agent.decode("latin-1")[:MAX_AGENT] if agent else UNKNOWN_AGENT


def apikey(headers: HeaderMap) -> str | None:
    key = headers.get(b"apikey")
    return None if key is None else key.decode("latin-1")


def is_address(text: str) -> bool:
    """Whether text is an IPv4 or IPv6 address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
