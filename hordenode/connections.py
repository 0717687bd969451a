"""Connections: how many there may be, and how slow. uvicorn itself waits for ever for a request's head or body.

A client that sends nothing for a while in the middle of a request, or takes nothing of an answer, is cut off; one that
only waits for an answer (long polls, event streams) is not.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from hordenode.api.cors import SENT, Headers
from hordenode.config import LimitSettings
from hordenode.ops.networks import Networks

RETRY_AFTER_S = 5
FILES = 256  # that a node has open beside its connections
PIPELINED = 32  # requests on one connection that wait for an answer before theirs
ANSWER, END = b"HTTP/1.1 ", b"\r\n"  # of every head
INTERIM = b"HTTP/1.1 1"  # 100 Continue
GRACE_S = 0.05
LEAST_RATE = 1024  # bytes a second that a body must come with


class Connections:
    """What all connections of a server share."""

    def __init__(self, limits: LimitSettings) -> None:
        self.limits = limits
        self._exempt = Networks(limits.exempt)
        self._by_address: Counter[str] = Counter()
        self.count = 0

    def admit(self, address: str) -> bool:
        """Count a new connection; False when there are too many, in all or from this address."""
        self.count += 1
        self._by_address[address] += 1
        if self.count > self.limits.connections:
            return False
        return self._by_address[address] <= self.limits.connections_each or address in self._exempt

    def leave(self, address: str) -> None:
        self.count -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]


class JoinedWrites:
    """A transport on which an answer's head goes out together with the beginning of its body.

    uvicorn hands over the two apart, and two writes are two packets and two wake-ups of the client: a third of what a
    small answer costs. A head whose body does not follow within the turn of the event loop (an event stream) goes alone.
    common: lines of the head that all answers have; uvicorn looks through each header of each answer twice.
    """

    __slots__ = ("_call_soon", "_end", "_head", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, common: bytes = b"") -> None:
        self._transport = transport
        self._call_soon = loop.call_soon
        self._end = common + END
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.writelines((head, data))
        elif data.startswith(ANSWER) and data.endswith(b"\r\n\r\n") and not data.startswith(INTERIM):
            self._head = data[: -len(END)] + self._end
            self._call_soon(self._send_head)
        else:
            self._transport.write(data)

    def close(self) -> None:
        self._send_head()
        self._transport.close()

    def _send_head(self) -> None:
        if self._head and not self._transport.is_closing():
            self._transport.write(self._head)
        self._head = b""


_Base: Any = AutoHTTPProtocol


class Guarded(_Base):  # type: ignore[misc]
    """One connection. Exactly one thing is waited for at a time: a head, a body, or room in the socket."""

    shared: Connections
    common: bytes
    _timer: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None
    _address = ""
    _received = 0

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(JoinedWrites(transport, self.loop, self.common))
        if self.common:
            self.app_state = {SENT: True}
        send_at_once(transport)
        self._address = self.client[0] if self.client else ""
        if self.shared.admit(self._address):
            self._arm(self.shared.limits.head_seconds)
        else:
            transport.write(refusal())
            transport.close()

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        super().data_received(data)
        cycle = self.cycle
        if len(self._queued) > PIPELINED:
            self.transport.abort()
            return
        if cycle is None or cycle.response_complete:  # a head has begun
            if self._timer is None:
                self._arm(self.shared.limits.head_seconds)
        elif not cycle.more_body:
            self._disarm()
        elif self._timer is None or self._received == len(data):
            self._disarm()
            self._arm(self.shared.limits.stall_seconds)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stall is None:
            self._stall = self.loop.call_later(self.shared.limits.stall_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._calm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._calm()
        self.shared.leave(self._address)
        super().connection_lost(exc)
        self._untie()

    def _untie(self) -> None:
        """Let go of the requests, which refer to this connection: else they stay until the next full collection."""
        self._queued.clear()
        self.cycle = None

    @property
    def _queued(self) -> Any:
        """Requests behind the one that is answered; h11 keeps none."""
        return getattr(self, "pipeline", [])

    def _arm(self, seconds: float) -> None:
        self._received = 0
        self._timer = self.loop.call_later(seconds, self._look_once_more, seconds)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _calm(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _look_once_more(self, seconds: float) -> None:
        """When the event loop itself was late, what the client sent is still in the socket: it is read first."""
        self._timer = self.loop.call_later(GRACE_S, self._too_slow, seconds)

    def _too_slow(self, seconds: float) -> None:
        """A body that comes with some speed gets as long again; whoever reads it learns of the end otherwise."""
        self._timer = None
        in_body = self.cycle is not None and not self.cycle.response_complete
        if in_body and self._received >= LEAST_RATE * seconds:
            self._arm(seconds)
        else:
            self.transport.abort()


def send_at_once(transport: asyncio.Transport) -> None:
    """Without Nagle's algorithm: of an answer in several writes the second waited for the other side's ACK, 40 ms late.

    asyncio sees to that only where a socket says that its protocol is TCP; those of a listener made beforehand do not.
    """
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def guarded(connections: Connections, common: Headers) -> type[asyncio.Protocol]:
    """uvicorn's protocol (httptools, or h11 without it) with these limits, and these headers in every answer."""
    lines = b"".join(b"%s: %s\r\n" % header for header in common)
    return type("Guarded", (Guarded,), {"shared": connections, "common": lines})


def raise_file_limit(wanted: int) -> None:
    """Let this process have so many connections open, as far as the system allows; many allow 1,024 unless asked."""
    try:
        import resource
    except ImportError:  # no such limit on Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def refusal() -> bytes:
    """The whole answer to a connection that is one too many."""
    body = json.dumps({"message": "Too many connections. Try again in a moment."}).encode()
    head = (
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nRetry-After: {RETRY_AFTER_S}\r\n"
        "Access-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
