"""Where a request stands in the queue: rebuilt from the store at start, kept up by the changes that were committed.

Only for the numbers in `check` and `status`; who is really next is decided in the store (store/queue.py). They say what
happens if one worker serves everything and nobody else comes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from hordenode.coordinator.sequence import Key, Sequence, Sums
from hordenode.domain.entities import Kind, WaitingPrompt

MOST_LANES = 100  # that are looked at one by one; of more, every so many stands for its neighbours


class LineMoved(msgspec.Struct, frozen=True):
    """A request's place changed: published after the commit that changed it."""

    wp: WaitingPrompt
    gone: bool = False


class LaneServed(msgspec.Struct, frozen=True):
    """A lane got a job, or its band changed."""

    kind: Kind
    lane_id: int
    turn: int | None = None
    band: int | None = None


class LaneGone(msgspec.Struct, frozen=True):
    """A lane in which nothing waits was deleted."""

    kind: Kind
    lane_id: int


@dataclass(slots=True)
class _Lane:
    """A lane's requests, in order; lanes of a band take turns, the one that was served longest ago first."""

    id: int
    band: int = 0
    turn: int = 0
    line: Sequence = field(default_factory=Sequence)
    jobs: int = 0
    things: int = 0


@dataclass(slots=True)
class _Band:
    """The lanes of one band that wait for something, and their sums."""

    lanes: dict[int, _Lane] = field(default_factory=dict)
    requests: int = 0
    jobs: int = 0
    things: int = 0

    def count(self, requests: int, jobs: int, things: int) -> None:
        self.requests += requests
        self.jobs += jobs
        self.things += things


class _Entry(msgspec.Struct, frozen=True, gc=False):
    """Nothing leads from a lane back to it: the collector need not look at a hundred thousand of them."""

    lane: _Lane
    key: Key
    n: int
    things: int


class Place(msgspec.Struct, frozen=True):
    """position counts from 1, 0 when nothing of the request waits; jobs and things up to and including its last job."""

    position: int
    jobs: int
    things: int


class Line:
    """All waiting requests of all kinds in serving order."""

    def __init__(self, *, fair: bool = True) -> None:
        self._fair = fair
        self._entries: dict[str, _Entry] = {}
        self._lanes: dict[tuple[Kind, int], _Lane] = {}
        self._bands: dict[Kind, dict[int, _Band]] = {kind: {} for kind in Kind}
        self._order: dict[Kind, Sequence] = {kind: Sequence() for kind in Kind}  # of the reference
        self._jobs: dict[Kind, int] = dict.fromkeys(Kind, 0)

    def load(self, lanes: Iterable[LaneServed], requests: Iterable[WaitingPrompt]) -> None:
        """The state at start."""
        for lane in lanes:
            self.apply(lane)
        for wp in requests:
            self.apply(LineMoved(wp))

    def apply(self, change: LineMoved | LaneServed | LaneGone) -> None:
        """One committed change."""
        if isinstance(change, LaneServed):
            self._serve(change)
            return
        if isinstance(change, LaneGone):
            self._lanes.pop((change.kind, change.lane_id), None)
            return
        wp = change.wp
        old, n = self._entries.get(wp.id), 0 if change.gone else wp.n
        if old is not None:
            self._move(wp.kind, old, wp.id, n)
        elif n > 0:
            lane = self._lane(wp.kind, wp.lane_id)
            entry = _Entry(lane, (-wp.order_key, wp.arrival, wp.id), n, wp.things)
            lane.line.add(entry.key, n, wp.things)
            if not self._fair:
                self._order[wp.kind].add(entry.key, n, wp.things)
            self._entries[wp.id] = entry
            self._count(wp.kind, lane, 1, n, n * wp.things)

    def waiting_of(self, request_id: str) -> int:
        """How many jobs of the request are still to be handed out."""
        entry = self._entries.get(request_id)
        return 0 if entry is None else entry.n

    def waiting_jobs(self, kind: Kind) -> int:
        return self._jobs[kind]

    def place(self, kind: Kind, request_id: str) -> Place:
        """Where a request stands."""
        entry = self._entries.get(request_id)
        if entry is None:
            return Place(0, 0, 0)
        own = entry.n * entry.things
        if not self._fair:
            before = self._order[kind].before(entry.key)
            return Place(before.requests + 1, before.jobs + entry.n, before.things + own)
        ahead, until_last = self._ahead_in_turn(kind, entry)
        return Place(ahead + 1, until_last.jobs + entry.n, until_last.things + own)

    def _ahead_in_turn(self, kind: Kind, entry: _Entry) -> tuple[int, Sums]:
        """Requests that begin before this one, and all jobs and things before its last job."""
        mine = entry.lane
        before = mine.line.before(entry.key)
        requests, jobs, things = before.requests, before.jobs, before.things
        for number, band in self._bands[kind].items():
            if number > mine.band:
                requests, jobs, things = requests + band.requests, jobs + band.jobs, things + band.things
        lanes = self._bands[kind][mine.band].lanes
        step = 1 + (len(lanes) - 1) // MOST_LANES
        begun = their_jobs = their_things = looked_at = 0
        for lane in islice(lanes.values(), 0, None, step):
            if lane is mine:
                continue
            looked_at += 1
            turns = before.jobs + ((lane.turn, lane.id) < (mine.turn, mine.id))  # that it gets before my first job
            until_first = lane.line.first(turns)
            until_last = until_first if entry.n == 1 else lane.line.first(turns + entry.n - 1)
            begun += until_first.requests
            their_jobs, their_things = their_jobs + until_last.jobs, their_things + until_last.things
        scale = (len(lanes) - 1) / looked_at if looked_at else 0
        return requests + round(begun * scale), Sums(
            0, jobs + round(their_jobs * scale), things + round(their_things * scale)
        )

    def _move(self, kind: Kind, old: _Entry, request_id: str, n: int) -> None:
        """A request that waits has another number of jobs left, or none."""
        sequences = [old.lane.line] if self._fair else [old.lane.line, self._order[kind]]
        for sequence in sequences:
            if n > 0:
                sequence.change(old.key, n)
            else:
                sequence.remove(old.key)
        if n > 0:
            self._entries[request_id] = _Entry(old.lane, old.key, n, old.things)
        else:
            del self._entries[request_id]
        self._count(kind, old.lane, 0 if n > 0 else -1, n - old.n, (n - old.n) * old.things)

    def _lane(self, kind: Kind, lane_id: int) -> _Lane:
        lane = self._lanes.get((kind, lane_id))
        if lane is None:
            lane = self._lanes[kind, lane_id] = _Lane(lane_id)
        return lane

    def _serve(self, change: LaneServed) -> None:
        lane = self._lane(change.kind, change.lane_id)
        lane.turn = lane.turn if change.turn is None else change.turn
        if change.band is None or change.band == lane.band:
            return
        if lane.line:
            before, after = self._band(change.kind, lane.band), self._band(change.kind, change.band)
            before.count(-len(lane.line), -lane.jobs, -lane.things)
            after.count(len(lane.line), lane.jobs, lane.things)
            after.lanes[lane.id] = before.lanes.pop(lane.id)
        lane.band = change.band

    def _count(self, kind: Kind, lane: _Lane, requests: int, jobs: int, things: int) -> None:
        lane.jobs += jobs
        lane.things += things
        self._jobs[kind] += jobs
        band = self._band(kind, lane.band)
        band.count(requests, jobs, things)
        if lane.line:
            band.lanes[lane.id] = lane
        else:
            band.lanes.pop(lane.id, None)

    def _band(self, kind: Kind, number: int) -> _Band:
        bands = self._bands[kind]
        band = bands.get(number)
        if band is None:
            band = bands[number] = _Band()
        return band
