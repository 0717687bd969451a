"""Running coroutines in tests."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
LIMIT_S = 60.0


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end, or fail after a minute: a test that waits for something lost must not hang."""

    async def limited() -> T:
        return await asyncio.wait_for(coroutine, LIMIT_S)

    return asyncio.run(limited())
