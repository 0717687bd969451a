"""By which addresses other machines reach this one: those of its networks, without loopback and without what only
virtual machines and containers see."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address

WILDCARDS = {"0.0.0.0": 4, "": 4, "::": 6}
# Interfaces of virtual machines and containers, by the names that Linux, macOS and Windows give them. br0 is not among
# them: where somebody made one, the network card is part of it.
_BRIDGES = re.compile(
    r"docker|br-|virbr|veth|vmnet|vboxnet|lxcbr|lxdbr|podman|cni|flannel|cali|kube|dummy|ifb|bridge\d"
    r"|vethernet|hyper-v|virtualbox|vmware",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class LanAddress:
    """An address of this machine, and the interface that has it. version: of the Internet Protocol, 4 or 6."""

    address: str
    interface: str

    @property
    def version(self) -> int:
        return ip_address(self.address).version


def lan_addresses() -> list[LanAddress]:
    """Those of this machine now that others may use, IPv4 first; none where they cannot be found out."""
    try:
        import ifaddr  # looks for the C library with programs and temporary files: only whoever asks waits for that
    except OSError:
        return []
    found = usable(
        LanAddress(str(ip.ip if ip.is_IPv4 else ip.ip[0]), ip.nice_name)
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
    )
    return sorted(found, key=lambda each: each.version)


def usable(found: Iterable[LanAddress]) -> Iterator[LanAddress]:
    """Those that other machines can use. Link-local ones are left out: they need an interface of the other machine."""
    for each in found:
        ip = ip_address(each.address)
        if not (ip.is_loopback or ip.is_link_local or ip.is_unspecified or _BRIDGES.match(each.interface)):
            yield each


def is_loopback(host: str) -> bool:
    """Whether a server that listens on `host` is there for this machine only."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def reachable(host: str, addresses: Iterable[LanAddress]) -> list[LanAddress]:
    """Those of the addresses by which others reach a server that listens on `host`."""
    if host in WILDCARDS:
        return [each for each in addresses if each.version == WILDCARDS[host]]
    return [each for each in addresses if each.address == host]


def url_of(address: str, port: int) -> str:
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
