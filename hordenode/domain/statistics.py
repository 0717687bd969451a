"""What is counted about delivered jobs, and by which slices of time (contract 18)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from hordenode.domain.entities import Kind
from hordenode.domain.names import SPECIAL_MODEL

SECOND_MS = 1000
SLICES = 60  # per window: how exactly its far end is known
WINDOWS = {
    "minute": 60 * SECOND_MS,
    "hour": 3_600 * SECOND_MS,
    "day": 86_400 * SECOND_MS,
    "month": 30 * 86_400 * SECOND_MS,
}


@dataclass(frozen=True, slots=True)
class Delivered:
    """One delivered job; `sequence` numbers them in the order of their commits."""

    sequence: int
    kind: Kind
    model: str
    things: int
    at_ms: int


class Slice(msgspec.Struct, frozen=True):
    """A part of a window. width_ms 0: no time at all, the sum of everything."""

    kind: Kind
    model: str
    width_ms: int
    start_ms: int


@dataclass(slots=True)
class Count:
    jobs: int = 0
    things: int = 0


def width(window: str) -> int:
    """How long the slices of a window are, in milliseconds."""
    return WINDOWS[window] // SLICES


def slices(jobs: Iterable[Delivered]) -> dict[Slice, Count]:
    """What these jobs add to each slice that they fall into. Special models are not counted."""
    found: dict[Slice, Count] = {}
    for job in jobs:
        if SPECIAL_MODEL in job.model:
            continue
        spans = [(0, 0), *((width(window), job.at_ms // width(window) * width(window)) for window in WINDOWS)]
        for width_ms, start_ms in spans:
            count = found.setdefault(Slice(job.kind, job.model, width_ms, start_ms), Count())
            count.jobs += 1
            count.things += job.things
    return found
