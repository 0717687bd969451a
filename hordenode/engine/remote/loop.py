"""An event loop for calls to other programs, beside the engine's threads and the node's own loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


class Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hordenode-remote", daemon=True)
        self._thread.start()

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        """Wait for a call, from another thread."""
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()

    def start(self, call: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin a call."""

        async def begin() -> asyncio.Task[None]:
            return asyncio.create_task(call)

        return self.run(begin())

    def cancel(self, task: asyncio.Task[None]) -> None:
        with suppress(RuntimeError):  # the loop is closed, and with it the task
            self._loop.call_soon_threadsafe(task.cancel)

    def close(self) -> None:
        """End all calls, and the thread."""

        async def cancel_all() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.run(cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
