"""Nodes find each other by mDNS: real zeroconf, on the loopback interface."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from click.testing import CliRunner
from zeroconf import const
from zeroconf._dns import DNSPointer
from zeroconf._protocol.outgoing import DNSOutgoing
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from hordenode.cli.join import table
from hordenode.cli.main import main
from hordenode.config import ServerSettings
from hordenode.discovery import (
    SERVICE,
    Advertiser,
    Peer,
    advertiser_for,
    announced,
    find_peers,
    instance_name,
    read_peer,
)
from hordenode.lan import LanAddress
from hordenode.version import __version__
from tests.support.aio import run

HERE = "127.0.0.1"
LOOPBACK = LanAddress(HERE, "lo")
LISTEN_S = 1.3  # an answer may take a second: RFC 6762 6


def a_name() -> str:
    """One that no other test uses: all of them are in the same network."""
    return f"horde {uuid.uuid4().hex[:12]}"


async def seen(name: str) -> list[Peer]:
    """Nodes of this name, in one look at the network."""
    return [peer for peer in await find_peers(LISTEN_S, [HERE]) if peer.name.startswith(name)]


async def appears(name: str, count: int = 1) -> list[Peer]:
    """Look until so many are there."""
    while len(found := await seen(name)) != count:
        pass
    return found


@asynccontextmanager
async def running(advertiser: Advertiser) -> AsyncIterator[None]:
    task = asyncio.create_task(advertiser.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def told(*options: str) -> str:
    """What `hordenode peers` says."""
    command = ["peers", "--address", HERE, "--seconds", str(LISTEN_S), *options]
    said = await asyncio.to_thread(CliRunner().invoke, main, command)
    assert said.exit_code == 0, said.output
    return said.stdout


async def said_by(name: str) -> dict[bytes, bytes | None]:
    """All that a node says beside its address."""
    network = AsyncZeroconf(interfaces=[HERE])
    info = AsyncServiceInfo(SERVICE, f"{name}.{SERVICE}")
    assert await info.async_request(network.zeroconf, 30_000)
    await network.async_close()
    return info.properties


def test_nodes_are_found_while_they_are_there_and_say_only_version_and_path() -> None:
    async def main() -> None:
        name = a_name()
        names = [instance_name(name, "box", port) for port in (7001, 7002)]
        assert names == [f"{name} on box", f"{name} on box:7002"]
        async with announced(names[0], 7001, [HERE]):
            async with announced(names[1], 7002, [HERE]):
                assert await appears(name, 2) == [
                    Peer(names[0], (f"http://{HERE}:7001",), __version__, here=True),
                    Peer(names[1], (f"http://{HERE}:7002",), __version__, here=True),
                ]
                assert await said_by(names[0]) == {b"version": __version__.encode(), b"api": b"/api/v2"}
            found = [peer for peer in json.loads(await told("--json")) if peer["name"] == names[0]]
            assert found == [{"name": names[0], "urls": [f"http://{HERE}:7001"], "version": __version__, "here": True}]
            await appears(name, 1)

    run(main())


def test_the_table_has_a_line_for_each_node() -> None:
    near, far = (
        Peer("a", ("http://10.0.0.7:7001",), "0.1.0", here=True),
        Peer("bcd", ("http://10.0.0.8:7001",), "", here=False),
    )
    assert table([near, far]) == [
        "a    0.1.0       http://10.0.0.7:7001  (this machine)",
        "bcd  ?           http://10.0.0.8:7001",
    ]


def test_an_advertiser_follows_the_addresses_of_the_machine() -> None:
    async def main() -> None:
        name = a_name()
        addresses: list[LanAddress] = []
        advertiser = Advertiser(name, HERE, 7001, lambda: list(addresses), look_again_s=0.02)
        async with running(advertiser):
            assert await seen(name) == [] and advertiser.advertised() == []
            addresses.append(LOOPBACK)
            await appears(name)
            addresses.clear()
            await appears(name, 0)

    run(main())


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5"])
def test_a_node_that_others_reach_is_advertised_unless_its_owner_does_not_want_it(host: str) -> None:
    made = advertiser_for(ServerSettings(), "our horde", host, 7001)
    assert made is not None and (made.host, made.port) == (host, 7001)
    assert made.name == f"our horde on {socket.gethostname()}"
    assert advertiser_for(ServerSettings(advertise=False), "our horde", host, 7001) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_node_for_this_machine_only_is_not_advertised(host: str) -> None:
    assert advertiser_for(ServerSettings(), "our horde", host, 7001) is None


def test_only_ipv4_addresses_at_which_the_node_listens_are_advertised() -> None:
    home, bridge, six = LanAddress("10.0.0.7", "eth0"), LanAddress("10.0.0.8", "wlan0"), LanAddress("fd00::2", "eth0")

    def at(host: str) -> list[LanAddress]:
        return Advertiser("a node", host, 7001, lambda: [home, bridge, six]).advertised()

    assert (at("0.0.0.0"), at("10.0.0.8"), at("::")) == ([home, bridge], [bridge], [])


def test_what_strangers_say_cannot_hurt_a_terminal() -> None:
    info = AsyncServiceInfo(
        SERVICE,
        f"evil\u202egnp.exe\u200b{'x' * 40}.{SERVICE}",
        port=7001,
        addresses=[socket.inet_aton("10.0.0.7")],
        properties={b"version": b"\xff\x1b[31m", b"\xfe": b"\xfd"},
    )
    peer = read_peer(info)
    assert peer.name == f"evil?gnp.exe?{'x' * 40}"
    assert (peer.version, peer.urls) == ("", ("http://10.0.0.7:7001",))


def test_a_name_that_no_node_can_have_is_passed_over() -> None:
    async def main() -> None:
        name = a_name()
        network = AsyncZeroconf(interfaces=[HERE])
        packet = DNSOutgoing(const._FLAGS_QR_RESPONSE | const._FLAGS_AA)
        evil = DNSPointer(SERVICE, const._TYPE_PTR, const._CLASS_IN, 4500, f"{name}\x1b[2J.{SERVICE}")
        packet.add_answer_at_time(evil, 0)
        looking = asyncio.create_task(seen(name))
        while not looking.done():
            network.zeroconf.async_send(packet)
            await asyncio.wait({looking}, timeout=0.1)
        assert await looking == []
        await network.async_close()

    run(main())


def test_long_names_are_cut_to_what_fits() -> None:
    for horde, machine in (("ü" * 100, "box"), ("horde", "ü" * 100)):
        assert len(instance_name(horde, machine, 7001).encode()) <= 63
    assert instance_name("ü" * 100, "box", 7001).endswith(" on box")
    assert instance_name("our\thorde", "box", 7001) == "our?horde on box"


def test_without_zeroconf_everything_works_and_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zeroconf", None)
    said = CliRunner().invoke(main, ["peers"])
    assert said.exit_code == 1
    assert "pip install 'hordenode[lan]'" in said.stderr and "address always works" in said.stderr
    assert advertiser_for(ServerSettings(), "our horde", "0.0.0.0", 7001) is None


@pytest.mark.parametrize("address", ["203.0.113.9", "fd00::9", "nonsense"])
def test_an_address_that_is_not_this_machines_is_refused_in_words(address: str) -> None:
    said = CliRunner().invoke(main, ["peers", "--address", address, "--seconds", "0.1"])
    assert said.exit_code == 1 and said.stderr == f"error: no network of this machine can be asked: {address}.\n"


def test_an_advertiser_outlives_an_interface_that_hears_nothing() -> None:
    async def main_() -> None:
        name = a_name()
        addresses = [LanAddress("203.0.113.9", "vpn0")]
        advertiser = Advertiser(name, "", 7001, lambda: list(addresses), look_again_s=0.02)
        async with running(advertiser):
            assert await seen(name) == []
            addresses.append(LOOPBACK)
            (found,) = await appears(name)
            assert found.urls == (f"http://{HERE}:7001", "http://203.0.113.9:7001")

    run(main_())
