"""Nothing leaves the machine: any connection to another host fails the test that makes it."""

from __future__ import annotations

import socket
import sys
from typing import Any

import pytest

LOOPBACK = ("127.", "::1", "localhost")
ALLOWED_HOSTS = {"localhost", "127.0.0.1", "::1", "", "0.0.0.0", "::", socket.gethostname()}
_attempts: list[str] = []


def _watch(event: str, args: tuple[Any, ...]) -> None:
    """An audit hook sees every connection of the process, whatever library makes it."""
    if event == "socket.connect" and isinstance(args[1], tuple):
        host = str(args[1][0])
        if not host.startswith(LOOPBACK):
            _attempts.append(f"connect to {host}:{args[1][1]}")
    elif event == "socket.getaddrinfo" and args[0] is not None:
        host = args[0].decode() if isinstance(args[0], bytes) else str(args[0])
        if host not in ALLOWED_HOSTS and not host.startswith(LOOPBACK):
            _attempts.append(f"look up {host}")


sys.addaudithook(_watch)


@pytest.fixture(autouse=True)
def nothing_leaves_the_machine() -> Any:
    _attempts.clear()
    yield
    assert not _attempts, f"outgoing: {_attempts}"
