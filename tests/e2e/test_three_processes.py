"""A node, a worker on the network and another horde, each a process of its own, with the demo models."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.asking import IMAGE, TEXT, ask
from tests.support.node_process import NodeProcess, node_process, worker_process

DEMO = Path(__file__).parents[2] / "hordenode" / "demo" / "models"


@dataclass(frozen=True, slots=True)
class Hordes:
    """`other` has no engine of its own: what is asked of it, `node` does."""

    node: NodeProcess
    other: NodeProcess


@pytest.fixture(scope="module")
def hordes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hordes]:
    folder = tmp_path_factory.mktemp("hordes")
    with ExitStack() as stack:
        other = stack.enter_context(node_process(folder / "other", "--no-engine"))
        config = folder / "node.toml"
        key_file = folder / "key"
        key_file.write_text(create_user(other, "contributor"))
        config.write_text(
            f'[[worker]]\nname = "own"\n[[worker]]\nname = "abroad"\nhorde = "{other.url}"\nkey_file = "{key_file}"\n'
        )
        node = stack.enter_context(node_process(folder / "node", "--config", str(config)))
        models = folder / "lan"
        models.mkdir()
        (models / "models.toml").write_text(f'[text."lan model"]\npath = "{DEMO / "text"}"\ncontext = 2048\n')
        options = ("--text-model", "lan model", "--image-model", "none")
        stack.enter_context(worker_process(node, models, create_user(node, "lan owner"), "lan", *options))
        yield Hordes(node, other)


def create_user(node: NodeProcess, name: str) -> str:
    """The key of a new trusted user, made beside the running node."""
    command = [sys.executable, "-m", "hordenode", "user", "create", name, "--trusted", "--data-dir", str(node.data_dir)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]


@pytest.mark.parametrize(("kind", "body"), [("text", TEXT), ("image", IMAGE)])
def test_the_node_serves_its_own_horde(hordes: Hordes, kind: str, body: dict[str, Any]) -> None:
    made = ask(hordes.node, kind, {**body, "models": ["hordenode demo"]})
    assert (made["model"], made["worker_name"]) == ("hordenode demo", f"own {kind}s")


def test_a_worker_on_the_network_serves_the_node_with_its_own_model(hordes: Hordes) -> None:
    made = ask(hordes.node, "text", {**TEXT, "models": ["lan model"]})
    assert (made["model"], made["worker_name"]) == ("lan model", "lan texts")
    assert made["text"]


@pytest.mark.parametrize(("kind", "body"), [("text", TEXT), ("image", IMAGE)])
def test_the_node_contributes_to_another_horde(hordes: Hordes, kind: str, body: dict[str, Any]) -> None:
    made = ask(hordes.other, kind, {**body, "models": ["hordenode demo"]})
    assert made["worker_name"] == f"abroad {kind}s"
    if kind == "image":
        assert httpx.get(made["img"]).content[8:12] == b"WEBP"


def test_all_at_once(hordes: Hordes) -> None:
    asked = [("lan model", hordes.node), ("hordenode demo", hordes.node), ("hordenode demo", hordes.other)] * 2
    assert all(ask(node, "text", {**TEXT, "models": [model]})["text"] for model, node in asked)
