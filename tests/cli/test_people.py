"""`hordenode user`, `key` and `invite` on a real data directory."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from hordenode.cli.main import main
from hordenode.config import DataSettings, EngineSettings, ServerSettings, Settings
from hordenode.node import Node
from tests.support.aio import run


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HORDENODE_DATA_DIR", raising=False)
    return tmp_path / "data"


def invoke(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--data-dir", str(data)])


def said(data: Path, *arguments: str) -> str:
    """Standard output of a command that must succeed."""
    result = invoke(data, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def fields(text: str) -> dict[str, str]:
    return {
        name: value
        for name, _, value in (line.partition(" ") for line in text.splitlines())
        for value in [value.strip()]
    }


def test_accounts_are_listed_shown_and_changed(data: Path) -> None:
    said(data, "user", "create", "somebody", "--kudos", "50")
    listed = said(data, "user", "list")
    assert re.search(r"^owner#1 +[\d.]+ kudos  moderator trusted$", listed, re.MULTILINE)
    assert re.search(r"^somebody#2 +50\.00 kudos  trusted$", listed, re.MULTILINE)
    changed = fields(
        said(data, "user", "edit", "somebody", "--kudos", "-10", "--flagged", "--no-trusted", "--username", "new name")
    )
    assert changed == {"new_kudos": "40.0", "flagged": "yes", "trusted": "no", "username": "new name"}
    shown = fields(said(data, "user", "show", "new name"))
    assert (shown["username"], shown["kudos"], shown["flagged"]) == ("new name#2", "40.0", "yes")
    assert shown["kudos_details.admin"] == "40.0" and "usage.requests" not in shown
    assert fields(said(data, "user", "show", "2")) == shown
    assert said(data, "user", "list", "--page", "2") == ""


def test_a_name_that_two_have_must_be_said_more_precisely(data: Path) -> None:
    for _ in range(2):
        said(data, "user", "create", "twin")
    refused = invoke(data, "user", "show", "twin")
    assert refused.exit_code == 3 and "twin#2, twin#3" in refused.stderr
    assert invoke(data, "user", "show", "nobody").exit_code == 3
    assert invoke(data, "user", "edit", "twin#3", "--concurrency", "501").exit_code == 2
    assert fields(said(data, "user", "edit", "twin#3", "--concurrency", "5")) == {"concurrency": "5"}
    nothing = invoke(data, "user", "edit", "twin#3")
    assert nothing.exit_code == 3 and "empty" in nothing.stderr


def test_what_the_api_would_refuse_is_refused_in_one_line(data: Path) -> None:
    said(data, "user", "create", "somebody")
    for arguments in (("user", "edit", "somebody", "--username", "ab"), ("key", "create", "somebody", "")):
        refused = invoke(data, *arguments)
        assert refused.exit_code == 3 and "shorter than" in refused.stderr and "Traceback" not in refused.output


@pytest.mark.parametrize("amount", ["nan", "inf", "-inf", "1e300"])
def test_impossible_kudos_are_refused(data: Path, amount: str) -> None:
    refused = invoke(data, "user", "create", "somebody", f"--kudos={amount}")
    assert refused.exit_code == 3 and "kudos" in refused.stderr
    assert invoke(data, "user", "edit", "owner", f"--kudos={amount}").exit_code == 3


def test_keys_are_made_listed_rotated_and_revoked(data: Path) -> None:
    said(data, "user", "create", "somebody")
    laptop = said(data, "key", "create", "somebody", "laptop").strip()
    assert len(laptop) == 22
    assert [line.split()[0] for line in said(data, "key", "list", "somebody").splitlines()] == ["default", "laptop"]
    assert "last used never" in said(data, "key", "list", "somebody")
    assert invoke(data, "key", "create", "somebody", "laptop").exit_code == 3
    assert said(data, "key", "create", "somebody", "laptop", "--rotate").strip() != laptop
    said(data, "key", "revoke", "somebody", "laptop")
    assert [line.split()[0] for line in said(data, "key", "list", "somebody").splitlines()] == ["default"]
    last = invoke(data, "key", "revoke", "somebody", "default")
    assert last.exit_code == 3 and "only key" in last.stderr
    assert len(said(data, "key", "list", "somebody").splitlines()) == 1


def test_a_running_node_knows_at_once_what_the_command_line_changed(data: Path) -> None:
    settings = Settings(
        server=ServerSettings(port=0), data=DataSettings(dir=str(data)), engine=EngineSettings(enabled=False)
    )

    async def story() -> None:
        async with Node(settings) as node:
            transport = httpx.ASGITransport(app=node.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://horde.test") as http:

                async def status(key: str) -> int:
                    answer = await http.get("/api/v2/find_user", headers={"apikey": key})
                    return answer.status_code

                key = (await asyncio.to_thread(said, data, "user", "create", "somebody")).strip()
                second = (await asyncio.to_thread(said, data, "key", "create", "somebody", "second")).strip()
                assert [await status(key), await status(second)] == [200, 200]
                await asyncio.to_thread(said, data, "key", "revoke", "somebody", "second")
                assert [await status(key), await status(second)] == [200, 404]
                await asyncio.to_thread(said, data, "user", "edit", "somebody", "--flagged")
                user = (await http.get("/api/v2/find_user", headers={"apikey": key})).json()
                assert user["flagged"]
                code = (await asyncio.to_thread(said, data, "invite", "--trusted")).strip()
                registered = await http.post("/register", data={"username": "guest", "invitation": code})
                assert registered.status_code == 200 and "guest#3" in registered.text
                again = await http.post("/register", data={"username": "guest", "invitation": code})
                assert again.status_code == 403
        assert "last used never" not in await asyncio.to_thread(said, data, "key", "list", "somebody")

    run(story())
