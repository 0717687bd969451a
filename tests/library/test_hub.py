"""Downloads from a hub: verified, resumed, with a token that goes no further than it must."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hordenode.library.errors import Interrupted, LibraryError
from hordenode.library.hub import ENDPOINT, Hub, endpoint_from, token_from
from tests.library.hub_server import COMMIT, HubServer, hub_server

BIG = bytes(range(256)) * 40
FILES = {"config.json": b"{}", "unet/big model.bin": BIG}


def silent(words: str, done: int = 0, total: int = 0) -> None:
    """Progress that nobody watches."""


@contextmanager
def connected(files: dict[str, bytes] = FILES, token: str = "", **settings: Any) -> Iterator[tuple[HubServer, Hub]]:
    with hub_server(files, **settings) as server:
        hub = Hub(server.url, token)
        yield server, hub
        hub.close()


def fetch(hub: Hub, name: str, target: Path) -> bytes:
    hub.fetch(hub.snapshot("owner/model", "main"), name, target, silent)
    return target.read_bytes()


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("name", FILES)
def test_a_file_arrives_whole_by_the_digest_of_list_or_headers(tmp_path: Path, name: str, listed: bool) -> None:
    with connected(listed_digests=listed) as (_, hub):
        assert fetch(hub, name, tmp_path / "a" / "file") == FILES[name]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]


def test_a_branch_is_pinned_to_its_commit() -> None:
    with connected() as (_, hub):
        assert hub.snapshot("owner/model", "release/1").source == f"hf:owner/model@{COMMIT}"


def test_a_download_that_breaks_off_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with connected(cut_after=3000) as (server, hub):
        assert fetch(hub, "unet/big model.bin", tmp_path / "file") == BIG
    ranges = [asked for path, asked, _ in server.asked if path.startswith("storage/")]
    assert ranges == ["", "bytes=3000-", "bytes=6000-", "bytes=9000-"]


def test_one_that_keeps_breaking_off_is_resumed_by_the_next_call(tmp_path: Path) -> None:
    with connected(gives=500) as (server, hub):
        with pytest.raises(Interrupted, match="Run the same command again"):
            fetch(hub, "unet/big model.bin", tmp_path / "file")
        assert not (tmp_path / "file").exists()
        assert (tmp_path / "file.part").read_bytes() == BIG[:500]
        server.gives = 2**40
        assert fetch(hub, "unet/big model.bin", tmp_path / "file") == BIG
    assert server.asked[-1][:2] == ("storage/unet/big model.bin", "bytes=500-")


def test_a_download_that_was_complete_but_unverified_is_verified(tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(BIG)
    with connected() as (_, hub):
        assert fetch(hub, "unet/big model.bin", tmp_path / "file") == BIG


def test_a_partial_file_of_other_bytes_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(b"x" * 600)
    with connected() as (_, hub):
        with pytest.raises(LibraryError, match="digest"):
            fetch(hub, "unet/big model.bin", tmp_path / "file")
        assert not any(tmp_path.iterdir())
        assert fetch(hub, "unet/big model.bin", tmp_path / "file") == BIG


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_is_found_out_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    with connected(damage={name}) as (_, hub), pytest.raises(LibraryError, match=f"{name} does not have the digest"):
        fetch(hub, name, tmp_path / "file")
    assert not any(tmp_path.iterdir())


def test_a_file_that_is_there_is_not_asked_for_again(tmp_path: Path) -> None:
    with connected() as (server, hub):
        fetch(hub, "config.json", tmp_path / "file")
        before = len(server.asked)
        fetch(hub, "config.json", tmp_path / "file")
        assert len(server.asked) == before


def test_the_token_goes_to_the_hub_and_not_to_its_storage(tmp_path: Path) -> None:
    with connected(token="hf_secret") as (server, hub):
        server.token = "hf_secret"
        fetch(hub, "unet/big model.bin", tmp_path / "file")
    assert {path: sent for path, _, sent in server.asked} == {
        "unet/big model.bin": "Bearer hf_secret",
        "storage/unet/big model.bin": "",
    }


def test_without_the_right_token_the_way_to_one_is_told_and_the_wrong_one_is_not() -> None:
    with connected(token="hf_wrong") as (server, hub):
        server.token = "hf_secret"
        with pytest.raises(LibraryError, match="HF_TOKEN") as refused:
            hub.snapshot("owner/model", "main")
    assert "hf_wrong" not in str(refused.value) and "hf_secret" not in str(refused.value)


def test_a_repository_that_is_not_there_is_named() -> None:
    with connected() as (_, hub), pytest.raises(LibraryError, match=r"hf:owner/other@main: .* no such repository"):
        hub.snapshot("owner/other", "main")


def test_a_hub_that_cannot_be_reached_is_named_with_the_way_around() -> None:
    hub = Hub("http://127.0.0.1:9")
    with pytest.raises(Interrupted, match="models export"):
        hub.snapshot("owner/model", "main")
    hub.close()


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../b", "c:\\x", "CON", "CONFIG.json"])
def test_a_list_with_a_hostile_name_is_refused(name: str) -> None:
    with connected(listed_names=[name]) as (_, hub), pytest.raises(LibraryError, match="refused"):
        hub.snapshot("owner/model", "main")


def test_something_else_than_a_hub_is_told_apart() -> None:
    with connected() as (server, hub):
        server.listing = lambda: {"hello": 1}  # type: ignore[method-assign]
        with pytest.raises(LibraryError, match="does not answer as a model hub"):
            hub.snapshot("owner/model", "main")


def test_endpoint_and_token_come_from_the_usual_places(tmp_path: Path) -> None:
    assert endpoint_from({}) == ENDPOINT
    assert endpoint_from({"HF_ENDPOINT": "http://mirror"}) == "http://mirror"
    mine, usual = tmp_path / "mine", tmp_path / "token"
    mine.write_text("of-file\n")
    assert token_from(None, {"HF_HOME": str(tmp_path)}) is None
    usual.write_text("of-home\n")
    assert token_from(None, {"HF_HOME": str(tmp_path)}) == "of-home"
    assert token_from(None, {"HF_HOME": str(tmp_path), "HF_TOKEN": "of-variable"}) == "of-variable"
    assert token_from(mine, {"HF_TOKEN": "of-variable"}) == "of-file"
    with pytest.raises(LibraryError, match="cannot be read"):
        token_from(tmp_path / "none", {})
