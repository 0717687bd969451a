"""Links that a horde hands to its workers and clients: where they may lead, and the client that follows them.

A horde is somebody else's: with a link to the owner's router it could have this machine read or write there (SSRF). So a
link leads to public addresses, to the networks that the owner lists, and to those of the kind that the horde itself is
on: one in the same house may hand out addresses of the house.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx

from hordenode.client.base import Unreachable
from hordenode.client.guard import PORTS, Address, Guard, GuardedTransport, TargetRefused, TargetUnknown, plain_address
from hordenode.protocol.errors import PlainError

ADVICE = "A worker follows such links of a horde only into the networks of outgoing.private_networks."
# Where the horde is -> which kinds of addresses beside public ones its links may have.
NEARBY = {"public": (), "private": ("private",), "link-local": ("link-local",), "loopback": ("loopback", "private")}


def kind_of(address: Address) -> str:
    """public, private, link-local, loopback, or multicast, which nothing is allowed to have."""
    address = plain_address(address)
    if address.is_multicast:
        return "multicast"
    if address.is_loopback or address.is_unspecified:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    return "public" if address.is_global else "private"


class LinkGuard(Guard):
    """Which addresses the links of the horde at `url` may lead to, beside those that `guard` permits."""

    def __init__(self, url: str, guard: Guard) -> None:
        super().__init__(guard.private, resolve=guard.resolve, tls=guard.tls)
        self._horde = httpx.URL(url)
        self._nearby: frozenset[str] | None = None

    async def addresses(self, host: str, port: int) -> list[str]:
        """See Guard. The horde is looked up until it is found; where nobody here knows it, it is taken for a public one."""
        if self._nearby is None:
            with suppress(TargetUnknown):
                here = await self.known(self._horde.host, self._horde.port or PORTS.get(self._horde.scheme, 80))
                self._nearby = frozenset(kind for address in here for kind in NEARBY.get(kind_of(address), ()))
        return await super().addresses(host, port)

    def permits(self, address: Address) -> bool:
        return super().permits(address) or kind_of(address) in (self._nearby or ())


def links_client(guard: LinkGuard, timeout: httpx.Timeout) -> httpx.AsyncClient:
    """A client for a horde's links, without its key, which is not their host's business.

    Behind a proxy the names are the proxy's to find: then the guard judges what this machine knows of them.
    """
    if not {"http", "https", "all"} & urllib.request.getproxies().keys():
        return httpx.AsyncClient(transport=GuardedTransport(guard), timeout=timeout, trust_env=False)

    async def judge(request: httpx.Request) -> None:
        try:
            await guard.addresses(request.url.host, request.url.port or PORTS.get(request.url.scheme, 80))
        except TargetUnknown:
            return

    return httpx.AsyncClient(timeout=timeout, verify=guard.tls or True, event_hooks={"request": [judge]})


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """Connection trouble as Unreachable, a forbidden link as PlainError. Only hosts are named: links are signed."""
    try:
        yield
    except TargetRefused as error:
        raise PlainError(403, f"The link is not followed: {error} {ADVICE}") from error
    except (httpx.TransportError, httpx.StreamError, httpx.TooManyRedirects, TargetUnknown) as error:
        reason = str(error) or type(error).__name__
        raise Unreachable(f"{httpx.URL(url).netloc.decode()} cannot be reached: {reason}") from error
