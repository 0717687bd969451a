"""`hordenode invite`, `hordenode join`: what their users type and read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from hordenode import membership
from hordenode.cli.common import address_of
from hordenode.cli.main import main
from hordenode.config import DataSettings, EngineSettings, ServerSettings, Settings
from hordenode.node import Node
from tests.support.aio import run
from tests.support.web import web_server

URL = "http://horde.test:7001"
WRONG = "0000-0000-0000-0000"


def invoke(*command: str) -> Result:
    return CliRunner().invoke(main, list(command))


def said(*command: str) -> str:
    result = invoke(*command)
    assert result.exit_code == 0, result.output
    return result.stdout


def on_a_node(tmp_path: Path) -> Settings:
    return Settings(
        server=ServerSettings(port=0),
        data=DataSettings(dir=str(tmp_path / "node")),
        engine=EngineSettings(enabled=False),
    )


def code_of(line: str) -> str:
    return line.rsplit(maxsplit=1)[-1]


def test_an_invitation_for_a_machine_ends_with_the_line_to_type_there(tmp_path: Path) -> None:
    made = invoke("invite", "--worker", "--url", URL, "--data-dir", str(tmp_path))
    assert made.exit_code == 0
    words = made.stdout.split()
    assert words[:4] == ["hordenode", "join", URL, "--code"] and len(words[4]) == 19
    assert "good until" in made.stderr and "no node runs here now" in made.stderr
    assert "--host 0.0.0.0" in invoke("invite", "--worker", "--data-dir", str(tmp_path)).stderr


def test_invitations_are_listed_and_revoked(tmp_path: Path) -> None:
    here = ["--data-dir", str(tmp_path)]
    said("invite", "--worker", "--url", URL, *here)
    said("invite", "--uses", "3", "--days", "0", *here)
    lines = said("invite", "list", *here).splitlines()
    assert "a machine" in lines[0] and "open until" in lines[0]
    assert "3 people" in lines[1] and lines[1].endswith("open for ever")
    said("invite", "revoke", lines[0].split()[0], *here)
    assert said("invite", "list", *here).splitlines() == lines[1:]
    again = invoke("invite", "revoke", lines[0].split()[0], *here)
    assert again.exit_code == 3 and "There is no invitation" in again.stderr


@pytest.mark.parametrize("options", [["--uses", "2"], ["--days", "0"]])
def test_an_invitation_for_a_machine_works_once_and_ends(tmp_path: Path, options: list[str]) -> None:
    refused = invoke("invite", "--worker", *options, "--data-dir", str(tmp_path))
    assert refused.exit_code == 3 and "works once, and ends" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 1, "`hordenode invite --worker` prints the line to type here"),
        (["http://127.0.0.1:7001"], 1, "has not joined a horde yet"),
        (["--code", WRONG], 2, "hordenode join URL --code CODE"),
        (["http://127.0.0.1:1", "--code", WRONG], 4, "127.0.0.1:1 cannot be reached"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, arguments: list[str], status: int, words: str) -> None:
    result = invoke("join", *arguments, "--data-dir", str(tmp_path))
    assert result.exit_code == status and words in result.stderr


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("192.168.1.5:7001", "http://192.168.1.5:7001"),
        (" http://box.lan:7001/ ", "http://box.lan:7001"),
        ("https://horde.test/api/v2/", "https://horde.test"),
        ("http://horde.test/horde/api/", "http://horde.test/horde"),
        ("[fd00::2]:7001", "http://[fd00::2]:7001"),
    ],
)
def test_an_address_is_taken_as_people_type_it(typed: str, meant: str) -> None:
    assert address_of(typed) == meant


@pytest.mark.parametrize(
    "typed", ["", "http://", "ftp://box", "box:99999", "box:word", "http://[::1", "two words", "http:///x", "box:0"]
)
def test_what_can_be_no_address_is_refused_at_once(tmp_path: Path, typed: str) -> None:
    for command in (["join", typed, "--code", WRONG], ["worker", "run", "--horde", typed, "--key", "k" * 22]):
        refused = invoke(*command, "--data-dir", str(tmp_path))
        assert refused.exit_code == 2 and "is not the address of a horde" in refused.stderr


def joined(tmp_path: Path, work: Callable[[httpx.ASGITransport, Path], object]) -> None:
    """Do something with a node that is there, from the data directory of another machine."""

    async def main_() -> None:
        async with Node(on_a_node(tmp_path)) as node:
            result = work(httpx.ASGITransport(app=node.app), tmp_path / "machine")
            assert asyncio.iscoroutine(result)
            await result

    run(main_())


def test_a_machine_remembers_what_it_got_and_the_same_line_again_does_no_harm(tmp_path: Path) -> None:
    async def work(transport: httpx.ASGITransport, machine: Path) -> None:
        line = await asyncio.to_thread(said, "invite", "--worker", "--url", URL, "--data-dir", str(tmp_path / "node"))
        first = await membership.join(machine, URL, code_of(line), "garage", transport)
        assert membership.load(machine) == first and first.name == "garage"
        again = await membership.join(machine, URL, code_of(line).lower(), "garage", transport)
        assert again == first
        (machine / membership.FILE).unlink()  # as if it had been killed before it was written
        assert await membership.join(machine, URL, code_of(line), "garage", transport) == first
        assert code_of(line).replace("-", "") not in (machine / membership.FILE).read_text()

    joined(tmp_path, work)


def test_a_code_that_is_no_good_leaves_the_membership_as_it_was(tmp_path: Path) -> None:
    async def work(transport: httpx.ASGITransport, machine: Path) -> None:
        line = await asyncio.to_thread(said, "invite", "--worker", "--url", URL, "--data-dir", str(tmp_path / "node"))
        first = await membership.join(machine, URL, code_of(line), "garage", transport)
        with pytest.raises(Exception, match="not known here"):
            await membership.join(machine, URL, WRONG, "garage", transport)
        assert membership.load(machine) == first

    joined(tmp_path, work)


def test_another_horde_takes_a_code_of_its_own(tmp_path: Path) -> None:
    member = {"horde": URL, "name": "garage", "key": "k" * 22, "attempt": "a"}
    (tmp_path / membership.FILE).write_text(json.dumps(member))
    result = invoke("join", "http://other.test:7001", "--data-dir", str(tmp_path))
    assert result.exit_code == 1 and f"has joined {URL}; http://other.test:7001 takes a code" in result.stderr


def test_the_doctor_says_what_this_machine_joined(tmp_path: Path) -> None:
    member = {"horde": URL, "name": "garage", "key": "k" * 22, "attempt": "a"}
    (tmp_path / membership.FILE).write_text(json.dumps(member))
    report = said("doctor", "--data-dir", str(tmp_path))
    assert f"{URL} as 'garage'" in report and "k" * 22 not in report and "mDNS" in report


@pytest.mark.parametrize("content", ["", "[]", '{"horde": "x"}', "\x00"])
def test_a_broken_memory_is_said_and_not_overwritten(tmp_path: Path, content: str) -> None:
    (tmp_path / membership.FILE).write_text(content)
    result = invoke("join", "--data-dir", str(tmp_path))
    assert result.exit_code == 1 and "joined.json cannot be read" in result.stderr
    assert (tmp_path / membership.FILE).read_text() == content


@pytest.mark.parametrize(
    ("status", "body", "exit_code", "words"),
    [
        (404, b'{"message": "unknown"}', 1, "no hordenode that machines can join"),
        (404, b"<html>", 1, "no hordenode that machines can join"),
        (200, b"<html>", 3, "not that of an AI Horde"),
        (429, b'{"message": "Too many wrong codes from your address. Try again in 9 s."}', 3, "Try again in 9 s"),
        (403, b'{"message": "This code has expired.", "rc": "Forbidden"}', 3, "This code has expired. (Forbidden)"),
    ],
)
def test_refusals_are_read_out(tmp_path: Path, status: int, body: bytes, exit_code: int, words: str) -> None:
    async def main_() -> None:
        async with web_server() as server:
            server.answers = [(status, {}, body)]
            line = ["join", f"127.0.0.1:{server.port}", "--code", WRONG, "--data-dir", str(tmp_path)]
            result = await asyncio.to_thread(invoke, *line)
            assert result.exit_code == exit_code and words in result.stderr
            assert server.heard[0].path == "/api/node/v1/workers"
            assert not (tmp_path / membership.FILE).exists()

    run(main_())
