"""[outgoing]: what the owner allows beside public addresses and well-known certificates."""

from __future__ import annotations

from pathlib import Path

import pytest

from hordenode.client.guard import guarded_client, make_guard
from hordenode.config import ConfigError, OutgoingSettings
from tests.support.aio import run
from tests.support.web import Authority, web_server


def test_networks_and_certificates_of_the_owner_are_used(tmp_path: Path) -> None:
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    guard = make_guard(OutgoingSettings(("127.0.0.1", "::1"), str(tmp_path / "ca.pem")))

    async def scenario() -> None:
        async with (
            web_server(authority.server("localhost")) as server,
            guarded_client(guard, timeout=5) as client,
        ):
            assert (await client.get(f"https://localhost:{server.port}/")).text == "fine"

    run(scenario())


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (OutgoingSettings(("router",)), "outgoing.private_networks: 'router' is not a network"),
        (OutgoingSettings((), "/nowhere/ca.pem"), "outgoing.ca_file: /nowhere/ca.pem cannot be used"),
    ],
)
def test_what_cannot_be_used_is_named(settings: OutgoingSettings, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        make_guard(settings)
