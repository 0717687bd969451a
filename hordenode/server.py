"""The HTTP server as a service of the node: it neither owns the signals nor the process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from hordenode.api.cors import Headers
from hordenode.config import LimitSettings
from hordenode.connections import Connections, guarded

BACKLOG = 2048
KEEP_ALIVE_S = 75
CLOSE_S = 5
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}


class PortInUse(Exception):
    """Something else listens there already; the text says what to do."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, which would take the process's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """Serves one ASGI application on one address. common: headers that it adds to every answer, instead of the app."""

    def __init__(
        self, app: ASGIApp, host: str, port: int, limits: LimitSettings | None = None, common: Headers | None = None
    ) -> None:
        self._host, self._port = host, port
        self._address = host
        self._connections = Connections(limits or LimitSettings())
        config = uvicorn.Config(
            app,
            http=guarded(self._connections, common or []),
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=CLOSE_S,
            backlog=BACKLOG,
        )
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()

    async def start(self) -> str:
        """Listen; returns the address by which this machine reaches the server. Raises PortInUse."""
        listener = listen(self._host, self._port)
        self._address, self._port = listener.getsockname()[:2]
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="http server")
        self._task.add_done_callback(lambda task: self._stop.set())
        host = WILDCARDS.get(self._host, f"[{self._host}]" if ":" in self._host else self._host)
        return f"http://{host}:{self._port}"

    @property
    def address(self) -> tuple[str, int]:
        """What it listens on: an address of this machine, or one that stands for all of them, and the port."""
        return self._address, self._port

    @property
    def connections(self) -> int:
        """How many are open."""
        return self._connections.count

    def request_stop(self) -> None:
        """Make `until_stopped` return; the server goes on until `stop`."""
        self._stop.set()

    async def until_stopped(self) -> None:
        """Wait for `request_stop` or for the server's own end."""
        await self._stop.wait()

    async def stop(self) -> None:
        """Answer what is being answered, then close."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. PortInUse when the address is taken or not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise PortInUse(
            f"Cannot listen on {host or 'all addresses'}, port {port}: {error.strerror or error}. "
            "Stop the program that uses it, or choose another with --port."
        ) from error


@contextlib.contextmanager
def on_signals(handler: Callable[[], None]) -> Iterator[None]:
    """Call `handler` on the event loop for each SIGINT and SIGTERM while the block runs."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    if sys.platform == "win32":  # no add_signal_handler there
        before = {number: signal.getsignal(number) for number in signals}

        def handle(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(handler)

        for number in signals:
            signal.signal(number, handle)
        try:
            yield
        finally:
            for number, old in before.items():
                signal.signal(number, old)
    else:
        for number in signals:
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)
