"""Reading server-sent events (HTML standard, 9.2.6), as far as a hordenode sends them: a JSON object each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its name as in protocol/events.py, and its members."""

    name: str
    data: dict[str, Any]


async def read_events(lines: AsyncIterator[str]) -> AsyncIterator[Event]:
    """The events in the lines of a stream, each at its empty line."""
    name, data = "", ""
    async for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            data += value
        elif not line and data:
            yield Event(name, msgspec.json.decode(data, type=dict[str, Any]))
            name, data = "", ""
