"""What the owner has switched for the whole horde, and which addresses wait outside (contract 18, 19)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

DAY_MS = 86_400_000
OFFENCE_MS = 3 * 60_000
WORKER_PREFIX_V6 = 64  # of an IPv6 address, all of which belongs to one household


@dataclass(frozen=True, slots=True)
class Modes:
    """maintenance: no new requests. invite_only: no new workers but invited ones. raid: the horde is under attack."""

    maintenance: bool = False
    invite_only: bool = False
    raid: bool = False


def parse_network(text: str) -> Network:
    """An address or CIDR block; an IPv4 address in IPv6 clothes is an IPv4 address. ValueError for anything else."""
    network = ipaddress.ip_network(text.strip(), strict=False)
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen == network.max_prefixlen:
        mapped = network.network_address.ipv4_mapped
        return network if mapped is None else ipaddress.IPv4Network(mapped)
    return network


def shown(network: Network) -> str:
    """As people write it: an address without the length of its prefix."""
    return str(network.network_address) if is_address(network) else str(network)


def is_address(network: Network) -> bool:
    """Whether it is a single address and no block."""
    return network.prefixlen == network.max_prefixlen


def worker_network(address: str) -> Network:
    """What is blocked with a worker: its address, of an IPv6 one the household's prefix."""
    network = parse_network(address)
    if isinstance(network, ipaddress.IPv6Network) and is_address(network):
        return network.supernet(new_prefix=WORKER_PREFIX_V6)
    return network


@dataclass(frozen=True, slots=True)
class Timeout:
    """No requests and pops from there until then."""

    network: Network
    until_ms: int


@dataclass(slots=True)
class Timeouts:
    """Those that are running, looked up by address in constant time but for the blocks."""

    _addresses: dict[str, Timeout] = field(default_factory=dict)
    _blocks: tuple[Timeout, ...] = ()

    @classmethod
    def of(cls, timeouts: Iterable[Timeout]) -> Timeouts:
        known = tuple(timeouts)
        addresses = {shown(timeout.network): timeout for timeout in known if is_address(timeout.network)}
        return cls(addresses, tuple(timeout for timeout in known if not is_address(timeout.network)))

    def __bool__(self) -> bool:
        return bool(self._addresses or self._blocks)

    def blocks(self, now_ms: int) -> list[Timeout]:
        """The CIDR blocks in timeout."""
        return [timeout for timeout in self._blocks if timeout.until_ms > now_ms]

    def matching(self, network: Network, now_ms: int) -> list[Timeout]:
        """The blocks that contain the address (or the block itself), then its own timeout."""
        found = [timeout for timeout in self.blocks(now_ms) if _contains(timeout.network, network)]
        own = self._addresses.get(shown(network))
        return [*found, own] if own is not None and own.until_ms > now_ms else found

    def seconds_left(self, address: str, now_ms: int) -> int:
        """How long the address has to wait, 0 when it need not."""
        if not self:
            return 0
        try:
            network = parse_network(address)
        except ValueError:
            return 0  # a caller without an address, such as a socket file
        running = self.matching(network, now_ms)
        return max((seconds(timeout, now_ms) for timeout in running), default=0)


def seconds(timeout: Timeout, now_ms: int) -> int:
    """Whole seconds left, at least 1."""
    return max(1, (timeout.until_ms - now_ms) // 1000)


def _contains(outer: Network, inner: Network) -> bool:
    if isinstance(outer, ipaddress.IPv4Network) and isinstance(inner, ipaddress.IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(outer, ipaddress.IPv6Network) and isinstance(inner, ipaddress.IPv6Network):
        return inner.subnet_of(outer)
    return False


class Offences:
    """Prompts that were refused, by address: each one within a day makes the next timeout longer (contract 17)."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, int]] = {}  # address -> when it last offended, how often within a day

    def timeout_ms(self, address: str, now_ms: int) -> int:
        """Counts one more offence; returns how long the address has to wait for it."""
        self._counts = {who: it for who, it in self._counts.items() if now_ms - it[0] < DAY_MS}
        _, earlier = self._counts.get(address, (0, 0))
        self._counts[address] = (now_ms, earlier + 1)
        return OFFENCE_MS * (2 * earlier + 1)


@dataclass(slots=True)
class House:
    """Modes, timeouts and offences as they are in memory."""

    modes: Modes = field(default_factory=Modes)
    timeouts: Timeouts = field(default_factory=Timeouts)
    offences: Offences = field(default_factory=Offences)
