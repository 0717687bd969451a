"""The guard against private targets: what it refuses, and that the checked address is the one connected to."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import httpx
import pytest

from hordenode.client.guard import (
    Guard,
    NotANetwork,
    TargetRefused,
    TargetUnknown,
    guarded_client,
    parse_networks,
    resolve,
)
from tests.support.aio import run
from tests.support.web import Authority, names, web_server

LOOPBACK = parse_networks(["127.0.0.0/8"])

PRIVATE = (
    "127.0.0.1 127.8.8.8 0.0.0.0 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1 192.0.2.1"
    " 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 :: ::1 fe80::1 fc00::1 fd12::1 fec0::1 ff02::1 2001:db8::1"
    " ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b::a00:1 2002:7f00:1:: 2002:c0a8:101::"
    " 2001:0:4136:e378:8000:63bf:3fff:fdd2"
).split()
PUBLIC = "1.1.1.1 93.184.216.34 172.32.0.1 2606:4700::1111 ::ffff:1.1.1.1 64:ff9b::101:101 2002:101:101::".split()


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert not Guard().permits(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_permitted(address: str) -> None:
    assert Guard().permits(ipaddress.ip_address(address))


def test_the_owner_may_allow_networks() -> None:
    guard = Guard(parse_networks(["192.168.7.0/24", "fd00::/8"]))
    assert guard.permits(ipaddress.ip_address("192.168.7.20"))
    assert guard.permits(ipaddress.ip_address("::ffff:192.168.7.20"))
    assert guard.permits(ipaddress.ip_address("fd12::1"))
    assert not guard.permits(ipaddress.ip_address("192.168.8.20"))


def test_a_network_that_is_none_is_named() -> None:
    with pytest.raises(NotANetwork, match=r"'router' is not a network such as 192\.168\.1\.0/24"):
        parse_networks(["10.0.0.0/8", "router"])


def test_one_forbidden_address_among_several_is_enough() -> None:
    guard = Guard(resolve=names(mixed_test=["1.1.1.1", "127.0.0.1"]))
    with pytest.raises(TargetRefused, match=r"'mixed\.test' is at 127\.0\.0\.1"):
        run(guard.addresses("mixed.test", 443))


def test_a_host_without_addresses_is_unknown() -> None:
    with pytest.raises(TargetUnknown, match=r"'empty\.test' cannot be found"):
        run(Guard(resolve=names(empty_test=[])).addresses("empty.test", 80))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "127.0.1"])
def test_names_and_odd_spellings_of_this_machine_are_refused(host: str) -> None:
    async def scenario() -> None:
        async with web_server() as server, guarded_client(Guard(), timeout=5) as client:
            with pytest.raises(TargetRefused):
                await client.get(f"http://{host}:{server.port}/")
            assert server.heard == []

    run(scenario())


def test_the_systems_resolver_is_the_default() -> None:
    assert "127.0.0.1" in run(resolve("localhost", 80))


def test_a_name_is_resolved_once_and_the_checked_address_is_connected_to() -> None:
    """A name server that answers differently the second time (rebinding) changes nothing."""
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    async def scenario() -> None:
        async with web_server() as server, guarded_client(Guard(LOOPBACK, resolve=rebinding), timeout=5) as client:
            answer = await client.get(f"http://pictures.test:{server.port}/a?b=c")
            assert answer.text == "fine"
            assert asked == ["pictures.test"]
            assert server.heard[0].path == "/a?b=c"
            assert server.heard[0].headers["host"] == f"pictures.test:{server.port}"

    run(scenario())


def test_each_hop_of_a_redirect_is_checked() -> None:
    async def scenario() -> None:
        guard = Guard(LOOPBACK, resolve=names(outside_test=["127.0.0.1"], inside_test=["10.0.0.1"]))
        async with web_server() as server, guarded_client(guard, timeout=5) as client:
            server.answers = [(302, {"Location": "http://inside.test/secret"}, b"")]
            with pytest.raises(TargetRefused, match=r"inside\.test"):
                await client.get(f"http://outside.test:{server.port}/", follow_redirects=True)

    run(scenario())


def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async def scenario() -> None:
        guard = Guard(LOOPBACK, resolve=names(two_test=["127.9.9.9", "127.0.0.1"]))
        async with web_server() as server, guarded_client(guard, timeout=5) as client:
            assert (await client.post(f"http://two.test:{server.port}/", content=b"body")).text == "fine"
            assert server.heard[0].body == b"body"

    run(scenario())


def test_the_certificate_is_checked_against_the_name() -> None:
    async def scenario() -> None:
        authority = Authority()
        known = names(right_test=["127.0.0.1"], wrong_test=["127.0.0.1"])
        guard = Guard(LOOPBACK, resolve=known, tls=authority.client())
        async with (
            web_server(authority.server("right.test")) as server,
            guarded_client(guard, timeout=5) as client,
        ):
            assert (await client.get(f"https://right.test:{server.port}/")).text == "fine"
            with pytest.raises(httpx.ConnectError, match="certificate"):
                await client.get(f"https://wrong.test:{server.port}/")

    run(scenario())


@pytest.mark.parametrize("url", ["ftp://files.test/", "file:///etc/passwd", "gopher://files.test"])
def test_only_web_servers_are_asked(url: str) -> None:
    async def scenario() -> None:
        async with guarded_client(Guard(), timeout=5) as client:
            with pytest.raises(httpx.UnsupportedProtocol):
                await client.get(url)

    run(scenario())
