"""A node in a process of its own: `python -m hordenode up`, as a user starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

READY = "hordenode ready on "


class NodeProcess:
    """Started and ready; `url` is where it listens."""

    def __init__(self, data_dir: Path, *arguments: str, module: str = "hordenode") -> None:
        self.data_dir = data_dir
        self.log = (data_dir.parent / f"{data_dir.name}.log").open("ab")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HORDENODE_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, "up", "--port", "0", "--data-dir", str(data_dir), *arguments],
            stdin=subprocess.PIPE if module != "hordenode" else None,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=environment,
        )
        self.lines: list[str] = []
        self.url = self._wait_ready()

    def _wait_ready(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith(READY):
                return line.removeprefix(READY).strip()
        self.log.flush()
        raise AssertionError(f"the node ended before it was ready: {Path(self.log.name).read_text()[-2000:]}")

    @property
    def owner_key(self) -> str:
        return (self.data_dir / "owner.key").read_text().strip()

    @property
    def database(self) -> Path:
        return self.data_dir / "hordenode.db"

    def kill(self) -> None:
        """SIGKILL: no handler runs."""
        self.process.kill()
        self._close()

    def terminate(self) -> int:
        """SIGTERM, as a service manager does; returns the exit status."""
        self.process.terminate()
        self._close()
        return self.process.returncode

    def ended(self) -> None:
        """Let go of a node that has ended by itself."""
        self._close()

    def tell(self, line: str) -> str:
        """Say something to a node of another module; its next line."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = ""
        while not answer.startswith("broken"):
            answer = self.process.stdout.readline()
            assert answer, "the node ended"
        return answer.strip()

    def logged(self) -> str:
        """What the node has logged."""
        return Path(self.log.name).read_text()

    def _close(self) -> None:
        self.process.wait(30)
        if self.process.stdin is not None:
            self.process.stdin.close()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.log.close()


@contextmanager
def node_process(data_dir: Path, *arguments: str, module: str = "hordenode") -> Iterator[NodeProcess]:
    """A node that is gone when the block ends."""
    node = NodeProcess(data_dir, *arguments, module=module)
    try:
        yield node
    finally:
        if node.process.poll() is None:
            node.kill()
        else:
            node.ended()


@contextmanager
def worker_process(node: NodeProcess, data_dir: Path, key: str, name: str, *options: str) -> Iterator[None]:
    """`hordenode worker run` for this node until the block ends, then ended as a service manager does."""
    run = ["worker", "run", "--horde", node.url, "--name", name, *options, "--data-dir", str(data_dir)]
    process = subprocess.Popen(
        [sys.executable, "-m", "hordenode", *run],
        env={**os.environ, "HORDENODE_KEY": key},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "works for" in process.stdout.readline()
    try:
        yield
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
