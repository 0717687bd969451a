"""Addresses and the networks that they are in."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

MOST_KNOWN = 10_000


class Networks:
    """Whether an address is in one of these networks; what was found is remembered."""

    def __init__(self, networks: tuple[str, ...]) -> None:
        self._networks = tuple(ip_network(network, strict=False) for network in networks)
        self._known: dict[str, bool] = {}

    def __contains__(self, address: object) -> bool:
        assert isinstance(address, str)
        known = self._known.get(address)
        if known is None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            known = self._known[address] = self._look_up(address)
        return known

    def _look_up(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None)
        return any((mapped or parsed) in network for network in self._networks)


def site_of(address: str) -> str:
    """Whose address it is, as far as one can tell: an IPv6 host has the last 64 bits to itself."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped else str(ip_network((int(parsed), 64), strict=False))
