"""Which addresses of a machine others can use."""

from __future__ import annotations

import pytest

from hordenode.lan import LanAddress, is_loopback, reachable, url_of, usable

HOME = LanAddress("192.168.1.5", "eth0")
WIFI = LanAddress("10.0.0.7", "wlan0")
SIX = LanAddress("fd00::2", "eth0")
VIRTUAL = [
    *"docker0 br-4f1d2c3b4a5e virbr0 veth12ab vmnet8 vboxnet0 lxcbr0 lxdbr0 podman0 cni0 flannel.1 bridge100".split(),
    "vEthernet (WSL)",
    "Hyper-V Virtual Ethernet Adapter",
    "VirtualBox Host-Only Ethernet Adapter",
]


@pytest.mark.parametrize("interface", VIRTUAL)
def test_what_only_virtual_machines_and_containers_see_is_left_out(interface: str) -> None:
    assert list(usable([LanAddress("172.17.0.1", interface), HOME])) == [HOME]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.3.4", "fe80::1", "0.0.0.0"])
def test_loopback_and_link_local_addresses_are_left_out(address: str) -> None:
    assert list(usable([LanAddress(address, "eth0"), SIX])) == [SIX]


@pytest.mark.parametrize(
    "interface", ["eth0", "enp3s0", "wlan0", "en0", "br0", "Ethernet", "Wi-Fi", "Realtek PCIe GbE"]
)
def test_networks_of_people_stay(interface: str) -> None:
    found = LanAddress("192.168.1.5", interface)
    assert list(usable([found])) == [found]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("0.0.0.0", [HOME, WIFI]),
        ("", [HOME, WIFI]),
        ("::", [SIX]),
        ("10.0.0.7", [WIFI]),
        ("127.0.0.1", []),
        ("10.9.9.9", []),
    ],
)
def test_a_server_is_reached_where_it_listens(host: str, expected: list[LanAddress]) -> None:
    assert reachable(host, [HOME, WIFI, SIX]) == expected


def test_loopback_is_known_in_every_form() -> None:
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.5.5.5", "::1", "[::1]", "localhost"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "::", "192.168.1.5", "box.lan", ""))
    assert (url_of("10.0.0.7", 7001), url_of("fd00::2", 7001)) == ("http://10.0.0.7:7001", "http://[fd00::2]:7001")
