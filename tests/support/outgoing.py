"""Nothing leaves the machine while tests run: an audit hook that sees each connection and each look-up of a name.

It works in this process and in every Python process that it starts: those find `guard/sitecustomize.py` on their path,
which installs the same hook. What is forbidden fails where it is tried, and is written down for the test that is
running. Only the standard library is used here: it runs before anything else in a child.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "guard"
LOG = "TESTS_OUTGOING_LOG"  # a variable with the file in which attempts are written down
NAMES = {"", "localhost", "localhost.localdomain", socket.gethostname()}
# Multicast DNS (RFC 6762): no router forwards it.
MDNS = {"224.0.0.251", "ff02::fb"}
CONNECTING = {"socket.connect", "socket.sendto", "socket.sendmsg"}
LOOKING_UP = {"socket.getaddrinfo", "socket.gethostbyname"}


class LeavesTheMachine(OSError):
    """A test, or a process that it started, tried to reach another machine."""


def watch(event: str, args: tuple[Any, ...]) -> None:
    """The hook. Raises LeavesTheMachine."""
    if event in CONNECTING:
        address = args[1] if len(args) > 1 else None
        if isinstance(address, tuple) and not _stays(str(address[0]), event):
            _refuse(f"{event} {address[0]}:{address[1]}")
    elif event in LOOKING_UP and args[0] is not None:
        host = args[0].decode("ascii", "replace") if isinstance(args[0], bytes) else str(args[0])
        if host not in NAMES and _is_name(host):
            _refuse(f"{event} {host}")


def attempts(log: Path) -> list[str]:
    """What was tried since the last look."""
    found = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return found


def _stays(host: str, event: str) -> bool:
    if host in NAMES:
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_loopback or mapped.is_unspecified or (event != "socket.connect" and str(mapped) in MDNS)


def _is_name(host: str) -> bool:
    """Whether it has to be looked up somewhere. Addresses need not be, nor their odd spellings such as 127.1."""
    if host.rstrip(".").endswith("localhost"):
        return False
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            socket.inet_aton(host)
        except (OSError, UnicodeError):
            return True
    return False


def _refuse(what: str) -> None:
    with Path(os.environ[LOG]).open("a", encoding="utf-8") as log:
        log.write(f"{what} by {' '.join(sys.argv[:4])}\n")
    raise LeavesTheMachine(f"tests may not leave the machine: {what}")
