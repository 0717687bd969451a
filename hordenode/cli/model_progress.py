"""Progress in bytes: a bar with the time that is left on a terminal, a plain line for each new thing elsewhere."""

from __future__ import annotations

import time
from typing import TextIO

from hordenode.cli.progress import ProgressLine

REDRAW_S = 0.1
UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


class ByteProgress:
    """Shows what model management reports. See hordenode.library.progress."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._line = ProgressLine(out)
        self._words = ""
        self._began = 0.0
        self._at_start = 0
        self._drawn = 0.0

    def __call__(self, words: str, done: int = 0, total: int = 0) -> None:
        """Show it; redraws no more often than an eye follows."""
        now = time.monotonic()
        if words != self._words:
            self._words, self._began, self._at_start = words, now, done
            if self._out.isatty():
                self._line.close()
                self._line = ProgressLine(self._out)
        elif now - self._drawn < REDRAW_S and done < total:
            return
        self._drawn = now
        if not self._out.isatty():
            self._line.show(f"{words} ({size(total)})" if total else words)
            return
        counted = f" {size(done)} of {size(total)}" if total else ""
        self._line.show(words + counted, self._seconds_left(now, done, total))

    def close(self) -> None:
        """Remove the bar."""
        self._line.close()

    def _seconds_left(self, now: float, done: int, total: int) -> float | None:
        moved = done - self._at_start
        if not total or moved <= 0 or now <= self._began:
            return None
        return (total - done) * (now - self._began) / moved


def size(count: float) -> str:
    """Bytes in the unit that suits them."""
    return next((f"{count / unit:.1f} {name}" for unit, name in UNITS if count >= unit), f"{count:.0f} B")
