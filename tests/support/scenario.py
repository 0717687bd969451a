"""Tests that are coroutines on a horde of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.support.aio import run
from tests.support.horde import Horde, open_horde


def on_a_horde(test: Callable[[Horde], Awaitable[None]]) -> Callable[[Path], None]:
    """The test as pytest runs it; afterwards the ledger must still sum to zero."""

    def wrapped(tmp_path: Path) -> None:
        async def main() -> None:
            async with open_horde(tmp_path) as horde:
                await test(horde)
                assert await horde.ledger_sum() == 0

        run(main())

    wrapped.__name__ = test.__name__
    wrapped.__doc__ = test.__doc__
    return wrapped
