"""A node, and a machine that joins it with the line that `hordenode invite --worker` prints: two processes."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from hordenode.lan import lan_addresses
from tests.support.asking import IMAGE, TEXT, ask
from tests.support.node_process import NodeProcess, node_process

WORKS, WAITS = "works for", "trying again"


def hordenode(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "hordenode", *arguments], capture_output=True, text=True, check=False)


class Machine:
    """`hordenode join …` with its output; killed when the block of `machine` ends."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hordenode", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def says(self, words: str) -> str:
        """The next line with these words."""
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if words in line:
                return line
        raise AssertionError(f"it ended without saying '{words}': {''.join(lines)}")


@contextmanager
def machine(*arguments: str) -> Iterator[Machine]:
    made = Machine(*arguments)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait(30)
        assert made.process.stdout is not None
        made.process.stdout.close()


def line_for_a_machine(node: NodeProcess, *options: str) -> list[str]:
    """What the owner is told to type on the other machine, without `hordenode`."""
    said = hordenode("invite", "--worker", "--data-dir", str(node.data_dir), *options)
    assert said.returncode == 0, said.stderr
    words = shlex.split(said.stdout.splitlines()[-1])
    assert words[:2] == ["hordenode", "join"] and words[2] == node.url
    return words[1:]


def test_a_machine_joins_works_and_goes_on_after_both_were_killed(tmp_path: Path) -> None:
    node_dir, machine_dir = tmp_path / "node", tmp_path / "machine"
    here = ["--data-dir", str(machine_dir)]
    with node_process(node_dir, "--no-engine") as node:
        line = line_for_a_machine(node)
        with machine(*line, *here, "--name", "garage") as first:
            assert "as garage#2" in first.says(WORKS)
            assert ask(node, "text", TEXT)["worker_name"] == "garage texts"
            stored = machine_dir / "joined.json"
            if os.name == "posix":
                assert stat.S_IMODE(stored.stat().st_mode) == 0o600
            key = json.loads(stored.read_text())["key"]
            node.kill()
    port = str(urlsplit(node.url).port)
    with machine("join", *here) as second:
        second.says(WAITS)
        with node_process(node_dir, "--no-engine", "--port", port) as node:
            assert "as garage#2" in second.says(WORKS)
            made = ask(node, "image", IMAGE)
            assert made["worker_name"] == "garage images"
            assert httpx.get(made["img"]).content[8:12] == b"WEBP"
            user = httpx.get(f"{node.url}/api/v2/find_user", headers={"apikey": key}).json()
            assert user["username"] == "garage#2" and user["records"]["fulfillment"] == {
                "image": 1,
                "text": 1,
                "interrogation": 0,
            }
            refused = hordenode(*line, "--data-dir", str(tmp_path / "another"))
            assert refused.returncode == 3 and "used already by 'garage'" in refused.stderr


def test_a_node_for_the_network_says_how_others_reach_it(tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text("[server]\nadvertise = false\n")
    with node_process(tmp_path / "node", "--no-engine", "--host", "0.0.0.0", "--config", str(config)) as node:
        assert node.process.stdout is not None
        said = "".join(iter(node.process.stdout.readline, "no engine here: add workers to serve requests\n"))
        port = urlsplit(node.url).port
        here = [f"http://{each.address}:{port}" for each in lan_addresses() if each.version == 4]
        assert [line.split()[3] for line in said.splitlines() if line.startswith("for other machines")] == here
        assert "advertised" not in said
        line = hordenode("invite", "--worker", "--data-dir", str(node.data_dir), "--config", str(config))
        if here:
            assert line.stdout.startswith(f"hordenode join {here[0]} --code ")
            assert "only this machine" not in line.stderr


def test_what_the_node_acknowledged_stays_and_a_lost_answer_costs_no_code(tmp_path: Path) -> None:
    """The node is killed right after its answer; the machine never stored it, and types the same line again."""
    with node_process(tmp_path / "node", "--no-engine") as node:
        line = line_for_a_machine(node)
        body = {"code": line[-1], "name": "garage", "attempt": "a" * 64}
        first = httpx.post(f"{node.url}/api/node/v1/workers", json=body).raise_for_status().json()
        node.kill()
    with node_process(tmp_path / "node", "--no-engine") as node:
        assert httpx.post(f"{node.url}/api/node/v1/workers", json=body).json() == first
        other = httpx.post(f"{node.url}/api/node/v1/workers", json=body | {"attempt": "b" * 64})
        assert other.status_code == 403
        listed = hordenode("user", "list", "--data-dir", str(node.data_dir)).stdout
        assert listed.count("garage") == 1
