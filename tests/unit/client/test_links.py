"""Where the links of a horde may lead: its own kind of network, what the owner allows, and public addresses."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network

import pytest

from hordenode.catalog import Catalog
from hordenode.client.guard import Guard, TargetRefused, TargetUnknown
from hordenode.client.http import HttpHorde
from hordenode.client.links import LinkGuard
from hordenode.config import EngineSettings, WorkerSettings
from hordenode.engine.engine import Engine
from hordenode.engine.fake import FakeBackend
from hordenode.engine.jobs import ModelInfo
from hordenode.protocol.errors import PlainError
from hordenode.server import HttpServer
from hordenode.version import AGENT
from hordenode.worker.image import ImageWorker
from hordenode.worker.offers import image_offer
from hordenode.worker.worker import Wiring
from tests.support.aio import run
from tests.support.public_horde import KEY, PublicHorde
from tests.support.web import names, web_server

HORDES = {"public": "93.184.215.14", "private": "192.168.1.5", "link-local": "169.254.7.7", "loopback": "127.0.0.1"}
LINKS = {
    "93.184.215.99": {"public", "private", "link-local", "loopback"},
    "2606:2800::1": {"public", "private", "link-local", "loopback"},
    "192.168.1.1": {"private", "loopback"},
    "10.0.0.1": {"private", "loopback"},
    "100.64.0.9": {"private", "loopback"},
    "fd00::1": {"private", "loopback"},
    "::ffff:10.0.0.1": {"private", "loopback"},
    "169.254.169.254": {"link-local"},
    "fe80::1": {"link-local"},
    "127.0.0.1": {"loopback"},
    "::1": {"loopback"},
    "0.0.0.0": {"loopback"},
    "224.0.0.251": set[str](),
}


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("horde", HORDES)
def test_links_lead_out_or_to_where_the_horde_is(horde: str, link: str) -> None:
    guard = LinkGuard("http://horde.example/api", Guard(resolve=names(horde_example=[HORDES[horde]])))

    async def allowed() -> bool:
        try:
            return await guard.addresses(link, 80) == [link]
        except TargetRefused:
            return False

    assert run(allowed()) is (horde in LINKS[link])


def test_what_the_owner_allows_is_allowed() -> None:
    private = Guard((ip_network("10.0.0.0/8"),), resolve=names(horde_example=[HORDES["public"]]))
    assert run(LinkGuard("https://horde.example", private).addresses("10.1.2.3", 443)) == ["10.1.2.3"]


def test_a_refusal_says_what_to_do() -> None:
    async def story() -> None:
        horde = HttpHorde("http://horde.example", guard=Guard(resolve=names(horde_example=[HORDES["public"]])))
        for call in (horde.download("http://10.0.0.1/"), horde.upload("http://10.0.0.1/x", b"")):
            with pytest.raises(PlainError, match=r"10\.0\.0\.1.*outgoing\.private_networks"):
                await call
        await horde.aclose()

    run(story())


def test_behind_a_proxy_forbidden_links_are_still_refused_and_the_rest_is_the_proxys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What only the proxy can find, it may fetch."""

    async def unknown(host: str, port: int) -> list[str]:
        if host.endswith(".example"):
            raise TargetUnknown(f"The host '{host}' cannot be found.")
        return [host]

    async def story() -> None:
        async with web_server() as proxy:
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
            for url in ("http://horde.example", f"http://{HORDES['public']}"):
                horde = HttpHorde(url, guard=Guard(resolve=unknown))
                assert await horde.download("http://files.example/a.webp") == b"fine"
                with pytest.raises(PlainError, match="not a public address"):
                    await horde.download("http://10.0.0.1/")
                await horde.aclose()
            assert [each.path for each in proxy.heard] == ["http://files.example/a.webp"] * 2

    run(story())


async def drawn_for(horde: PublicHorde, guard: Guard, **job: str) -> dict[str, object]:
    """What a worker submits for a job of a horde on a socket, which it takes for one far away."""
    server = HttpServer(horde.app, "127.0.0.1", 0)
    horde.url = await server.start()
    ids = horde.image_job()
    horde.waiting["generate"][0] |= {name: f"{horde.url}/{path}" for name, path in job.items()}
    engine = Engine(Catalog(), EngineSettings(), FakeBackend((ModelInfo("image", "Deliberate"),)))
    await engine.start()
    client = HttpHorde(horde.url.replace("127.0.0.1", "localhost"), KEY, guard=guard)
    offer = image_offer(engine.models(), WorkerSettings(), "painter", AGENT)
    assert offer is not None
    worker = ImageWorker(Wiring(client, engine, lambda: 7, lambda progress: None), offer)
    running = asyncio.create_task(worker.run())
    (submitted,) = await horde.all_submitted(ids)
    worker.stop()
    await running
    await client.aclose()
    await engine.close()
    await server.stop()
    assert horde.breaches == []
    return submitted


FAR = names(localhost=[HORDES["public"]])


def test_a_job_whose_upload_is_forbidden_is_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    assert run(drawn_for(PublicHorde(), Guard(resolve=FAR)))["state"] == "faulted"
    assert "'127.0.0.1' is at 127.0.0.1, which is not a public address" in caplog.text


def test_a_job_whose_source_is_forbidden_is_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    horde = PublicHorde()
    assert run(drawn_for(horde, Guard(resolve=FAR), source_image="source.webp"))["state"] == "faulted"
    assert "outgoing.private_networks" in caplog.text


def test_the_owner_can_allow_them() -> None:
    allowed = Guard((ip_network("127.0.0.0/8"),), resolve=FAR)
    assert run(drawn_for(PublicHorde(), allowed))["state"] == "ok"
