"""Nodes that find each other in the local network, by mDNS: `_hordenode._tcp` (RFC 6762, 6763), with the package zeroconf.

What is found is a hint where to look and never a reason to trust: anybody in the network can say anything, so all that
is shown is cleaned, nothing secret is said, and joining takes a code that the owner of the node gave.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from hordenode.config import ServerSettings
from hordenode.lan import LanAddress, is_loopback, lan_addresses, reachable, url_of
from hordenode.version import __version__

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

log = logging.getLogger("hordenode.discovery")

SERVICE = "_hordenode._tcp.local."
GROUP = "224.0.0.251"  # RFC 6762 3
INSTALL = "pip install 'hordenode[lan]'"
LOOK_AGAIN_S = 30.0  # whether this machine's addresses have changed
ANSWER_MS = 1500
MOST_PEERS, NAME_LENGTH, NAME_BYTES = 200, 60, 63
_VERSION = re.compile(r"[\w.+-]{1,30}")


class DiscoveryError(Exception):
    """The local network cannot be asked; the text says why, and what works all the same."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A node that says it is there. here: on this machine."""

    name: str
    urls: tuple[str, ...]
    version: str
    here: bool


def available() -> bool:
    """Whether the package zeroconf is installed."""
    return find_spec("zeroconf") is not None


def instance_name(horde: str, machine: str, port: int) -> str:
    """What a node is called in the network: so that two on one machine differ, with an unusual port."""
    ending = f" on {_clean(machine)}" + (f":{port}" if port != ServerSettings().port else "")
    room = max(0, NAME_BYTES - len(ending.encode()))
    return _cut(_cut(_clean(horde), room) + ending, NAME_BYTES)


@dataclass(frozen=True, slots=True)
class Advertiser:
    """Says in the local network that a node is there, on every interface by which others reach it.

    host: what the node listens on. addresses: those of this machine, asked again and again.
    """

    name: str
    host: str
    port: int
    addresses: Callable[[], Sequence[LanAddress]] = lan_addresses
    look_again_s: float = LOOK_AGAIN_S

    def advertised(self) -> list[LanAddress]:
        """Where others find the node. IPv4 only: so are the packets that say it."""
        return [each for each in reachable(self.host, self.addresses()) if each.version == 4]

    async def run(self) -> None:
        """Until cancelled. Trouble in the network is logged once, and is no reason to stop a node."""
        trouble = ""
        while True:
            now = self.advertised()
            if not now:
                log.info("not advertised: no network of this machine reaches %s", self.host)
                await self._until_changed(now)
                continue
            try:
                async with announced(self.name, self.port, [each.address for each in now]) as name:
                    places = ", ".join(f"{each.address} ({each.interface})" for each in now)
                    log.info("advertised as '%s' at %s, port %d", name, places, self.port)
                    await self._until_changed(now)
            except OSError as error:
                if str(error) != trouble:
                    trouble = str(error)
                    log.warning("not advertised in the network: %s", trouble)
                await asyncio.sleep(self.look_again_s)

    async def _until_changed(self, before: list[LanAddress]) -> None:
        while self.advertised() == before:  # noqa: ASYNC110  nobody tells of a changed address
            await asyncio.sleep(self.look_again_s)


def advertiser_for(settings: ServerSettings, horde: str, host: str, port: int) -> Advertiser | None:
    """For a node that listens there; None when nobody else reaches it, its owner does not want it, or zeroconf is missing."""
    if not settings.advertise or is_loopback(host) or not available():
        return None
    return Advertiser(instance_name(horde, socket.gethostname(), port), host, port)


@asynccontextmanager
async def announced(name: str, port: int, addresses: Sequence[str]) -> AsyncIterator[str]:
    """A node is said to be at these IPv4 addresses, on their interfaces, while the block runs.

    Gives the name that it got: with a number where another node has the same. Raises OSError.
    """
    from zeroconf import Error
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

    places = [address for address in addresses if hears_multicast(address)]
    if not places:
        raise OSError("none of its interfaces hears multicast")
    network = AsyncZeroconf(interfaces=places)
    info = AsyncServiceInfo(
        SERVICE,
        f"{name}.{SERVICE}",
        port=port,
        addresses=[socket.inet_aton(address) for address in addresses],
        properties={"version": __version__, "api": "/api/v2"},
        server=f"hordenode-{secrets.token_hex(6)}.local.",  # machines of one name have different addresses
    )
    try:
        try:
            await (await network.async_register_service(info, allow_name_change=True))
        except Error as error:
            raise OSError(f"mDNS: {type(error).__name__} {error}".rstrip()) from error
        yield info.name.removesuffix(f".{SERVICE}")
    finally:
        await network.async_close()  # says goodbye


async def find_peers(seconds: float, addresses: Sequence[str] = ()) -> list[Peer]:
    """Nodes that answer within some seconds on the networks of these IPv4 addresses of ours [all]. Raises DiscoveryError."""
    if not available():
        raise DiscoveryError(
            f"looking for nodes in the network needs the package zeroconf: {INSTALL}. An address always works without."
        )
    own = lan_addresses()
    wanted = list(addresses) or [each.address for each in own if each.version == 4]
    places = [address for address in wanted if hears_multicast(address)]
    if not places:
        raise DiscoveryError(f"no network of this machine can be asked{': ' if wanted else ''}{', '.join(wanted)}.")
    from zeroconf.asyncio import AsyncZeroconf

    try:
        network = AsyncZeroconf(interfaces=places)
    except OSError as error:
        raise DiscoveryError(
            f"the network cannot be asked from {', '.join(places)}: {error.strerror or error}."
        ) from error
    try:
        found = await _listen(network, seconds)
    finally:
        await network.async_close()
    here = {each.address for each in own} | set(addresses)
    return sorted((_mark(peer, here) for peer in found), key=lambda peer: (peer.name, peer.urls))


async def _listen(network: AsyncZeroconf, seconds: float) -> list[Peer]:
    from zeroconf import DNSQuestionType
    from zeroconf.asyncio import AsyncServiceBrowser

    multicast = DNSQuestionType.QM  # an answer to one program only may go to another one on the same port
    names: set[str] = set()

    def heard(name: str, **_: Any) -> None:
        if len(names) < MOST_PEERS:
            names.add(name)

    browser = AsyncServiceBrowser(network.zeroconf, [SERVICE], handlers=[heard], question_type=multicast)
    await asyncio.sleep(seconds)
    await browser.async_cancel()
    asked = [info for name in sorted(names) if (info := _question(name)) is not None]
    answers = await asyncio.gather(*(each.async_request(network.zeroconf, ANSWER_MS, multicast) for each in asked))
    peers = [read_peer(each) for each, answered in zip(asked, answers, strict=True) if answered]
    return [peer for peer in peers if peer.urls]


def _question(name: str) -> AsyncServiceInfo | None:
    """To ask for the address of a node with; None for a name that none can have."""
    from zeroconf import Error
    from zeroconf.asyncio import AsyncServiceInfo

    try:
        return AsyncServiceInfo(SERVICE, name)
    except Error:
        return None


def hears_multicast(address: str) -> bool:
    """Whether this is an IPv4 address of ours whose interface takes part in mDNS; those of some VPNs do not."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            membership = socket.inet_aton(GROUP) + socket.inet_aton(address)
            probe.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        except OSError:
            return False
    return True


def read_peer(info: AsyncServiceInfo) -> Peer:
    """What a node said of itself, without anything that could hurt a terminal."""
    said = (info.properties.get(b"version") or b"").decode("utf-8", "replace")
    addresses = sorted({str(ip_address(each)) for each in info.parsed_addresses()})
    return Peer(
        name=_clean(info.name.removesuffix(f".{SERVICE}"))[:NAME_LENGTH],
        urls=tuple(url_of(address, info.port or 0) for address in addresses),
        version=said if _VERSION.fullmatch(said) else "",
        here=False,
    )


def _mark(peer: Peer, own: set[str]) -> Peer:
    return replace(peer, here=any(f"//{address}:" in url for url in peer.urls for address in own))


def _cut(text: str, size: int) -> str:
    """As much of it as fits into so many bytes."""
    return text.encode()[:size].decode(errors="ignore")


def _clean(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
