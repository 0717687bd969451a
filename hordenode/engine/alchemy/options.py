"""Options of forms: they arrive as text whatever they mean (worker_protocol.md 5), so they are read leniently."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping

Options = Mapping[str, str]

YES = ("true", "1", "yes", "on")


def number(options: Options, name: str, default: float, low: float, high: float) -> float:
    """A number between bounds; the default for what is none."""
    with contextlib.suppress(ValueError):
        value = float(options.get(name, default))
        if not math.isnan(value):
            return min(max(value, low), high)
    return default


def whole(options: Options, name: str, default: int, low: int, high: int) -> int:
    """A whole number between bounds; the default for what is none."""
    return round(number(options, name, default, low, high))


def flag(options: Options, name: str, default: bool = False) -> bool:
    """Yes or no; the default for neither."""
    return options[name].strip().lower() in YES if name in options else default
