"""The guard of the tests themselves: what leaves the machine is refused and noted, here and in processes of ours."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from tests.conftest import LOG
from tests.support import outgoing

REFUSED = {
    "socket.create_connection(('192.0.2.1', 80), 1)": "socket.connect 192.0.2.1:80",
    "socket.create_connection(('2001:db8::1', 80), 1)": "socket.connect 2001:db8::1:80",
    "socket.socket(type=socket.SOCK_DGRAM).connect(('192.0.2.1', 53))": "socket.connect 192.0.2.1:53",
    "socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 53))": "socket.sendto 192.0.2.1:53",
    "socket.getaddrinfo('horde.example', 443)": "socket.getaddrinfo horde.example",
    "socket.gethostbyname('horde.example')": "socket.gethostbyname horde.example",
}


@pytest.mark.parametrize("call", REFUSED)
def test_a_process_of_ours_cannot_leave_and_is_noted(call: str) -> None:
    done = subprocess.run([sys.executable, "-c", f"import socket; {call}"], capture_output=True, text=True, check=False)
    assert "LeavesTheMachine" in done.stderr
    (tried,) = outgoing.attempts(LOG)
    assert tried.startswith(f"{REFUSED[call]} by")


def test_this_process_cannot_leave_and_is_noted() -> None:
    with pytest.raises(OSError, match="may not leave the machine"):
        socket.create_connection(("192.0.2.1", 80), 1)
    assert len(outgoing.attempts(LOG)) == 1


def test_loopback_is_no_outgoing_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        assert outgoing.attempts(LOG) == []
