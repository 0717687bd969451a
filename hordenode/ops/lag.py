"""How late the event loop is: the time between when something was due and when it was done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

EVERY_S = 0.25


class LagMeter:
    """Measures while `run` runs. `seconds`: the latest lag, which falls back as soon as the loop keeps up again."""

    def __init__(self, observe: Callable[[float], None]) -> None:
        self._observe = observe
        self.seconds = 0.0

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + EVERY_S
            await asyncio.sleep(EVERY_S)
            self.seconds = max(0.0, loop.time() - due)
            self._observe(self.seconds)
