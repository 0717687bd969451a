"""Machines that already run KoboldCpp, A1111 or an OpenAI-compatible server: workers and nodes on them, as processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.test_three_processes import create_user
from tests.support.asking import ask
from tests.support.dialects import WORDS, FakeA1111, FakeKobold, FakeOpenAI, served
from tests.support.node_process import NodeProcess, node_process, worker_process

TEXT = {"prompt": "Once upon a time", "params": {"max_length": 20, "max_context_length": 512}}
IMAGE = {"prompt": "a house", "params": {"width": 128, "height": 64, "steps": 4, "sampler_name": "k_euler"}}
SECRET = "sk-a-secret-key"


@dataclass(frozen=True, slots=True)
class Machines:
    """`node` generates with an OpenAI-compatible server; `openai` heard what that was asked. `other` has no engine."""

    node: NodeProcess
    other: NodeProcess
    openai: FakeOpenAI


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    folder = tmp_path_factory.mktemp("adapters")
    openai = FakeOpenAI()
    with ExitStack() as stack:
        other = stack.enter_context(node_process(folder / "other", "--no-engine"))
        key_file, config = folder / "key", folder / "node.toml"
        key_file.write_text(SECRET)
        kobold = stack.enter_context(served(FakeKobold(model="koboldcpp/large").app))
        config.write_text(
            f'[engine]\nbackend = "openai"\nurl = "{stack.enter_context(served(openai.app))}"\n'
            f'key_file = "{key_file}"\nmodels = ["Mine=org/model"]\n'
            f'[[worker]]\n[[worker]]\nname = "abroad"\nhorde = "{other.url}"\nkey = "{create_user(other, "friend")}"\n'
            f'engine = "kobold"\nengine_url = "{kobold}"\n'
        )
        node = stack.enter_context(node_process(folder / "node", "--config", str(config)))
        key = create_user(node, "worker owner")
        for engine, app in (("kobold", FakeKobold().app), ("a1111", FakeA1111().app)):
            url = stack.enter_context(served(app))
            options = ("--engine", engine, "--engine-url", url)
            stack.enter_context(worker_process(node, folder / engine, key, engine, *options))
        yield Machines(node, other, openai)
    assert SECRET not in (folder / "node.log").read_text()


def test_a_node_writes_with_an_openai_compatible_server(machines: Machines) -> None:
    made = ask(machines.node, "text", {**TEXT, "models": ["Mine"]})
    assert (made["model"], made["text"]) == ("Mine", "".join(WORDS))
    assert machines.openai.bodies[-1]["model"] == "org/model"
    assert machines.openai.headers[-1]["authorization"] == f"Bearer {SECRET}"


def test_a_node_contributes_with_an_engine_of_its_own(machines: Machines) -> None:
    made = ask(machines.other, "text", {**TEXT, "models": ["koboldcpp/large"]})
    assert (made["worker_name"], made["text"]) == ("abroad texts", "".join(WORDS))


def test_a_machine_with_koboldcpp_joins(machines: Machines) -> None:
    made = ask(machines.node, "text", {**TEXT, "models": ["koboldcpp/tiny"]})
    assert (made["worker_name"], made["text"]) == ("kobold texts", "".join(WORDS))


def test_a_machine_with_a1111_joins(machines: Machines) -> None:
    made = ask(machines.node, "image", {**IMAGE, "models": ["deliberate_v2"]})
    assert made["worker_name"] == "a1111 images"
    assert httpx.get(made["img"]).content[8:12] == b"WEBP"


@pytest.mark.parametrize(
    ("engine", "trouble"),
    [
        (["--engine", "openai"], "127.0.0.1:1 cannot be reached"),
        (["--engine", "opnai"], "there is no engine 'opnai'; did you mean openai?"),
        ([], "say which program that engine is"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, engine: list[str], trouble: str) -> None:
    command = [sys.executable, "-m", "hordenode", "worker", "run", "--horde", "http://127.0.0.1:1", "--key", "a" * 22]
    options = [*engine, "--engine-url", "http://127.0.0.1:1", "--data-dir", str(tmp_path)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert trouble in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_says_that_the_program_is_not_there(tmp_path: Path) -> None:
    program = {"HORDENODE_ENGINE_BACKEND": "openai", "HORDENODE_ENGINE_URL": "http://127.0.0.1:1"}
    command = [sys.executable, "-m", "hordenode", "doctor", "--data-dir", str(tmp_path)]
    done = subprocess.run(command, env={**os.environ, **program}, capture_output=True, text=True, check=False)
    assert "The engine's program at 127.0.0.1:1 cannot be reached" in done.stdout
