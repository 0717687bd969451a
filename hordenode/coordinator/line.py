"""Where a request stands in the queue: rebuilt from the store at start, kept up by the changes that were committed.

Only for the numbers in `check` and `status`; who is really next is decided in the store (store/queue.py).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass, field

from hordenode.domain.entities import Kind, WaitingPrompt

Key = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class LineMoved:
    """A request's place changed: published after the commit that changed it."""

    wp: WaitingPrompt
    gone: bool = False


@dataclass(frozen=True, slots=True)
class LaneServed:
    """A lane got a job, or its band changed."""

    kind: Kind
    lane_id: int
    turn: int | None = None
    band: int | None = None


@dataclass(slots=True)
class _Lane:
    band: int = 0
    turn: int = 0
    keys: list[Key] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Entry:
    lane_id: int
    key: Key
    n: int
    things: int


@dataclass(frozen=True, slots=True)
class Place:
    """position counts from 1, 0 when nothing of the request waits; jobs and things up to and including it."""

    position: int
    jobs: int
    things: int


class Line:
    """All waiting requests of both kinds in serving order."""

    def __init__(self, *, fair: bool = True) -> None:
        self._fair = fair
        self._entries: dict[str, _Entry] = {}
        self._lanes: dict[tuple[Kind, int], _Lane] = {}
        self._order: dict[Kind, list[Key]] = {kind: [] for kind in Kind}
        self._jobs: dict[Kind, int] = dict.fromkeys(Kind, 0)
        self._things: dict[Kind, int] = dict.fromkeys(Kind, 0)

    def load(self, lanes: Iterable[LaneServed], requests: Iterable[WaitingPrompt]) -> None:
        """The state at start."""
        for lane in lanes:
            self.apply(lane)
        for wp in requests:
            self.apply(LineMoved(wp))

    def apply(self, change: LineMoved | LaneServed) -> None:
        """One committed change."""
        if isinstance(change, LaneServed):
            lane = self._lanes.setdefault((change.kind, change.lane_id), _Lane())
            lane.turn = lane.turn if change.turn is None else change.turn
            lane.band = lane.band if change.band is None else change.band
            return
        wp = change.wp
        old = self._entries.pop(wp.id, None)
        waits = wp.n > 0 and not change.gone
        if old is not None:
            self._count(wp.kind, -old.n, -old.n * old.things)
            if not waits:
                _discard(self._lanes[wp.kind, old.lane_id].keys, old.key)
                _discard(self._order[wp.kind], old.key)
        if not waits:
            return
        entry = _Entry(wp.lane_id, (-wp.order_key, wp.arrival, wp.id), wp.n, wp.things)
        self._entries[wp.id] = entry
        self._count(wp.kind, entry.n, entry.n * entry.things)
        if old is None:
            insort(self._lanes.setdefault((wp.kind, wp.lane_id), _Lane()).keys, entry.key)
            insort(self._order[wp.kind], entry.key)

    def waiting_of(self, request_id: str) -> int:
        """How many jobs of the request are still to be handed out."""
        entry = self._entries.get(request_id)
        return 0 if entry is None else entry.n

    def waiting_jobs(self, kind: Kind) -> int:
        return self._jobs[kind]

    def place(self, kind: Kind, request_id: str) -> Place:
        """Where a request stands. Jobs and things ahead are the position's share of the totals: an estimate."""
        entry = self._entries.get(request_id)
        if entry is None:
            return Place(0, 0, 0)
        position = self._fair_position(kind, entry) if self._fair else bisect_left(self._order[kind], entry.key) + 1
        share = position / len(self._order[kind])
        return Place(
            position,
            max(entry.n, round(self._jobs[kind] * share)),
            max(entry.n * entry.things, round(self._things[kind] * share)),
        )

    def _fair_position(self, kind: Kind, entry: _Entry) -> int:
        mine = self._lanes[kind, entry.lane_id]
        rank = bisect_left(mine.keys, entry.key)
        ahead = rank
        for (other_kind, lane_id), lane in self._lanes.items():
            if other_kind != kind or lane is mine or not lane.keys:
                continue
            if lane.band > mine.band:
                ahead += len(lane.keys)
            elif lane.band == mine.band:
                ahead += min(len(lane.keys), rank + ((lane.turn, lane_id) < (mine.turn, entry.lane_id)))
        return ahead + 1

    def _count(self, kind: Kind, jobs: int, things: int) -> None:
        self._jobs[kind] += jobs
        self._things[kind] += things


def _discard(keys: list[Key], key: Key) -> None:
    at = bisect_left(keys, key)
    if at < len(keys) and keys[at] == key:
        del keys[at]
