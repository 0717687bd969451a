"""`hordenode worker add`: what is printed for the workers of other programs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hordenode.cli.main import main

URL = "http://192.168.1.5:7001"


def add(data_dir: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["worker", "add", *arguments, "--data-dir", str(data_dir)])


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("reGen", ["In bridgeData.yaml:", f'  horde_url: "{URL}/api/"', f"  AI_HORDE_URL={URL}/api/"]),
        ("scribe", ["In bridgeData.yaml:", f'  horde_url: "{URL}"']),
        ("alchemist", ["In bridgeData.yaml:", f'  horde_url: "{URL}"']),
        ("KOBOLDCPP", [f"  {URL}"]),
    ],
)
def test_each_program_gets_the_form_of_the_address_that_it_needs(tmp_path: Path, kind: str, lines: list[str]) -> None:
    for url in (URL, URL + "/"):
        said = add(tmp_path, kind, "--url", url)
        assert said.exit_code == 0, said.output
        assert set(lines) <= set(said.stdout.splitlines())
        assert re.search(r"^API key: \S{22} ", said.stdout, re.MULTILINE)


def test_each_worker_gets_an_account_of_its_own_or_a_key_of_somebodys(tmp_path: Path) -> None:
    assert "account reGen#2," in add(tmp_path, "reGen", "--url", URL).stdout
    assert "account reGen 2#3," in add(tmp_path, "reGen", "--url", URL).stdout
    assert "account attic#4," in add(tmp_path, "scribe", "--name", "attic", "--url", URL).stdout
    assert "the key 'scribe' of attic#4" in add(tmp_path, "scribe", "--user", "attic", "--url", URL).stdout
    again = add(tmp_path, "scribe", "--user", "attic", "--url", URL)
    assert again.exit_code == 3 and "already a key named 'scribe'" in again.stderr
    assert add(tmp_path, "scribe", "--user", "nobody", "--url", URL).exit_code == 3


def test_no_key_is_made_where_none_is_wanted(tmp_path: Path) -> None:
    said = add(tmp_path, "reGen", "--no-key", "--url", URL)
    assert "API key: that of its account here" in said.stdout and not (tmp_path / "owner.key").exists()


def test_a_node_that_only_this_machine_reaches_is_a_note(tmp_path: Path) -> None:
    said = add(tmp_path, "reGen", "--no-key")
    assert "http://127.0.0.1:7001/api/" in said.stdout and "--host 0.0.0.0" in said.stderr


def test_what_koboldcpp_cannot_do_is_said(tmp_path: Path) -> None:
    said = add(tmp_path, "koboldcpp", "--no-key").stdout
    assert "only a patched or a newer build" in said and "--engine kobold" in said


def test_an_unknown_program_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    said = add(tmp_path, "dreamer")
    assert said.exit_code == 2 and all(kind in said.stderr for kind in ("regen", "scribe", "alchemist", "koboldcpp"))
