"""How long work shows itself: one bar that redraws itself on a terminal, a line per change elsewhere."""

from __future__ import annotations

import time
from typing import TextIO

BAR = 24
MIN_ELAPSED_S = 0.1


class ProgressLine:
    """Where a request stands. Nothing is left of it on a terminal once it is closed."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._terminal = out.isatty()
        self._began = time.monotonic()
        self._last = ""

    def show(self, words: str, seconds_left: float | None = None) -> None:
        """Say what is going on; the bar fills by the time that is expected to be left."""
        if self._terminal:
            self._out.write(f"\r\x1b[K{self._bar(seconds_left)} {words}")
            self._out.flush()
        elif words != self._last:
            self._out.write(words + "\n")
            self._out.flush()
        self._last = words

    def note(self, words: str) -> None:
        """A line that stays."""
        self.close()
        self._out.write(words + "\n")
        self._out.flush()

    def close(self) -> None:
        """Remove the bar."""
        if self._terminal and self._last:
            self._out.write("\r\x1b[K")
            self._out.flush()
        self._last = ""

    def _bar(self, seconds_left: float | None) -> str:
        if seconds_left is None:
            return "[" + "·" * BAR + "]"
        elapsed = max(MIN_ELAPSED_S, time.monotonic() - self._began)
        filled = round(BAR * elapsed / (elapsed + seconds_left))
        return "[" + "█" * filled + "·" * (BAR - filled) + f"] {100 * filled // BAR:3d}%"
