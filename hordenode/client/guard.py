"""Fetching what strangers name: the address that was checked is the one connected to (SSRF guard).

    client = guarded_client(co.guard, timeout=3.0)

Pictures given by URL and webhooks let a caller choose where this node connects. A name that resolves to the owner's
router or to this machine would open them to anybody, so only public addresses are connected to, plus the networks that
the owner lists. Checking the name first and connecting later would leave room for a second, different answer of the
name server; therefore the connection goes to the checked address, with the name in the Host header and in TLS.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeAlias

import httpx

from hordenode.config import ConfigError, OutgoingSettings

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]

GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are the IPv4 address that it reaches
PORTS = {"http": 80, "https": 443}


class TargetRefused(Exception):
    """The host of a URL is, or resolves to, an address that this node does not connect to."""


class NotANetwork(ValueError):
    """What an owner wrote is no network; the text says which."""


class TargetUnknown(Exception):
    """The host of a URL cannot be found."""


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks or single addresses, as an owner writes them. Raises NotANetwork."""
    found = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text.strip(), strict=False))
        except ValueError as error:
            raise NotANetwork(f"'{text}' is not a network such as 192.168.1.0/24") from error
    return tuple(found)


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, by the system's resolver."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise TargetUnknown(f"The host '{host}' cannot be found.") from error
    return [str(entry[4][0]) for entry in found]


class Guard:
    """Which addresses may be connected to: public ones, and those in the networks that the owner allows.

    tls: which certificates are trusted, None for the usual ones.
    """

    def __init__(
        self, private: Iterable[Network] = (), *, resolve: Resolve = resolve, tls: ssl.SSLContext | None = None
    ) -> None:
        self.private = tuple(private)
        self.resolve = resolve
        self.tls = tls

    def permits(self, address: Address) -> bool:
        """Whether an address may be connected to. One that stands for an IPv4 address is judged by that."""
        if any(address in network for network in self.private):
            return True
        if isinstance(address, ipaddress.IPv4Address):
            return address.is_global and not address.is_multicast
        inner = _inner(address)
        if inner is not None:
            return self.permits(inner)
        return address in GLOBAL_UNICAST and address.is_global

    async def addresses(self, host: str, port: int) -> list[str]:
        """Where to connect for a host, never empty. Raises TargetUnknown, or TargetRefused if any address is forbidden."""
        found = await self._found(host, port)
        for text in found:
            if not self.permits(_address(text)):
                raise TargetRefused(f"'{host}' is at {text}, which is not a public address.")
        return found

    async def known(self, host: str, port: int) -> list[Address]:
        """All addresses of a host, whether permitted or not; never none. Raises TargetUnknown."""
        return [_address(text) for text in await self._found(host, port)]

    async def _found(self, host: str, port: int) -> list[str]:
        found = list(dict.fromkeys(await self.resolve(host.strip("[]"), port)))
        if not found:
            raise TargetUnknown(f"The host '{host}' cannot be found.")
        return found


def _address(text: str) -> Address:
    return ipaddress.ip_address(text.partition("%")[0])


def plain_address(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, or the address itself."""
    inner = _inner(address) if isinstance(address, ipaddress.IPv6Address) else None
    return inner or address


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for."""
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


class GuardedTransport(httpx.AsyncBaseTransport):
    """Connects only to addresses that the guard has checked, on every hop of a redirect. Raises what the guard raises."""

    def __init__(self, guard: Guard) -> None:
        # Connections are not kept: a kept one belongs to an address, but another name there has another certificate.
        self._inner = httpx.AsyncHTTPTransport(
            verify=guard.tls or True, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )
        self._guard = guard

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        if url.scheme not in PORTS or not url.host:
            raise httpx.UnsupportedProtocol(f"'{url}' is not the address of a web server.", request=request)
        addresses = await self._guard.addresses(url.host, url.port or PORTS[url.scheme])
        for address in addresses[:-1]:
            try:
                return await self._inner.handle_async_request(_at(request, address))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._inner.handle_async_request(_at(request, addresses[-1]))

    async def aclose(self) -> None:
        await self._inner.aclose()


def _at(request: httpx.Request, address: str) -> httpx.Request:
    """The same request at a fixed address: its Host header and the name in TLS stay those of the URL."""
    host = request.url.host
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )


def guarded_client(guard: Guard, *, timeout: float) -> httpx.AsyncClient:
    """A client for URLs of strangers: no proxy and no secrets from the environment, no redirects unless asked for.

    timeout: seconds for each of connecting, sending and receiving; limit the whole call yourself (asyncio.timeout).
    """
    return httpx.AsyncClient(transport=GuardedTransport(guard), timeout=timeout, trust_env=False)


def make_guard(settings: OutgoingSettings) -> Guard:
    """Where what strangers name may lead. Raises ConfigError."""
    try:
        private = parse_networks(settings.private_networks)
    except NotANetwork as error:
        raise ConfigError(f"outgoing.private_networks: {error}.") from error
    if not settings.ca_file:
        return Guard(private)
    trusted = ssl.create_default_context()
    try:
        trusted.load_verify_locations(settings.ca_file)
    except OSError as error:
        raise ConfigError(f"outgoing.ca_file: {settings.ca_file} cannot be used: {error}.") from error
    return Guard(private, tls=trusted)
