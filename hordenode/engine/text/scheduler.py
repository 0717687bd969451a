"""Which texts share the next run of the graph, and in which slots. Pure bookkeeping: no tensors, no threads, no clock.

Slots 0..n-1 decode together, slot n takes in a prompt, those behind it are free but keep what they hold: a prompt that
begins alike starts from there. One prompt is read at a time. Between two decode steps a chunk is read at most, of one
prompt or of several short ones, so that nobody waits long.

Texts of different priority never share a step: when a more urgent one comes, those at work make way with the next plan,
so that it is held up by the step in progress and by nothing else. They go on later, from what is left in their slots.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# Longest stretch of prompt in one run: it bounds the pause of those that decode, and the wait of a cancel.
CHUNK = 128
# Part of a chunk that a shorter stretch counts as: a run reads all weights, whatever it is for.
LIGHTEST = 1 / 8


@dataclass(slots=True, eq=False)
class Entry:
    """What is known of a text: `tokens` from the prompt's first to the last written; keys and values of the first
    `done` stand in its slot. Lower `priority` first, then whose `user` has the fewest at work, then who came first.
    `passed`: how many of its priority came later and were seated before.
    """

    id: str
    tokens: list[int]
    priority: int = 0
    user: str = ""
    arrival: int = 0
    done: int = 0
    passed: int = 0


@dataclass(frozen=True, slots=True)
class Move:
    """Copy (or swap) the first `length` positions of slot `source` to slot `target`."""

    source: int
    target: int
    length: int
    swap: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """One step: first the moves, then those in `decode` do so, then `prefill` reads its tokens up to `stop` in `slot`."""

    moves: tuple[Move, ...]
    prefill: Entry | None
    stop: int
    slot: int
    decode: tuple[Entry, ...]


@dataclass(slots=True)
class Scheduler:
    """Texts that wait, the one that is read in and those that decode, on `slots` slots."""

    slots: int
    chunk: int = CHUNK
    waiting: list[Entry] = field(default_factory=list)
    decoding: list[Entry] = field(default_factory=list)
    prefilling: Entry | None = None
    held: list[list[int]] = field(init=False)  # tokens whose keys and values stand in each slot
    _moves: list[Move] = field(default_factory=list)
    _arrivals: int = 0
    _read: float = 0  # of prompts, since those that decode last did

    def __post_init__(self) -> None:
        self.held = [[] for _ in range(self.slots)]

    @property
    def busy(self) -> bool:
        return bool(self.waiting or self.decoding or self.prefilling)

    @property
    def priority(self) -> int:
        """The most urgent one's, while there is something to do."""
        return min(entry.priority for entry in (*self.waiting, *self._seated()))

    def add(self, entry: Entry) -> None:
        """Queue a text of at least one token."""
        self._arrivals += 1
        entry.arrival = self._arrivals
        self.waiting.append(entry)

    def plan(self) -> Plan:
        """What the next step does."""
        if self.waiting:
            first = min(self.waiting, key=self._turn)
            self._make_way(first.priority)
            mates = all(other.priority == first.priority for other in self.decoding)
            if self.prefilling is None and len(self.decoding) < self.slots and mates:
                self._admit(first)
        entry = self.prefilling
        stop = 0 if entry is None else min(len(entry.tokens), entry.done + self.chunk)
        decode = self._decode_now(0 if entry is None else stop - entry.done)
        moves, self._moves = tuple(self._moves), []
        return Plan(moves, entry, stop, len(self.decoding), decode)

    def _decode_now(self, count: int) -> tuple[Entry, ...]:
        """Those that decode before so many tokens are read: all, or none where they need not go first."""
        weight = max(count, LIGHTEST * self.chunk)
        if count and self.decoding and self._read + weight <= self.chunk:
            self._read += weight
            return ()
        self._read = weight if count and self.decoding else 0
        return tuple(self.decoding)

    def prefilled(self, plan: Plan) -> bool:
        """The chunk of a plan was read; True when the prompt is complete: from the next plan on its text decodes."""
        entry = plan.prefill
        assert entry is not None and entry is self.prefilling
        slot = len(self.decoding)
        self.held[slot] += entry.tokens[entry.done : plan.stop]
        entry.done = plan.stop
        if entry.done < len(entry.tokens):
            return False
        self.prefilling = None
        self.decoding.append(entry)
        return True

    def decoded(self, plan: Plan) -> None:
        """All texts of a plan have decoded their last token."""
        for held, entry in zip(self.held, plan.decode, strict=False):
            held.append(entry.tokens[entry.done])
            entry.done += 1

    def remove(self, entry: Entry) -> None:
        """Forget a text that is finished, cancelled or failed; its slot is free for the next plan."""
        if entry in self.waiting:
            self.waiting.remove(entry)
        elif entry is self.prefilling:
            self.prefilling = None
        else:
            self._vacate(entry)

    def _seated(self) -> list[Entry]:
        """Those at work, which all have one priority."""
        return [*self.decoding, *([self.prefilling] if self.prefilling else [])]

    def _turn(self, entry: Entry) -> tuple[int, bool, int, int]:
        """Patience counts among equals only: no number of local texts makes one of another horde go before them."""
        patient = entry.passed >= 2 * self.slots
        mates = sum(other.user == entry.user for other in self.decoding) if entry.user and not patient else 0
        return entry.priority, not patient, mates, entry.arrival

    def _make_way(self, priority: int) -> None:
        """Send those at work back to wait if they matter less: they will be read in again with what they have written."""
        seated = self._seated()
        if seated and seated[0].priority > priority:
            for entry in seated:
                entry.done = 0
            self.waiting += seated
            self.decoding.clear()
            self.prefilling = None

    def _admit(self, entry: Entry) -> None:
        """Seat a text behind those that decode."""
        self.waiting.remove(entry)
        for other in self.waiting:
            other.passed += other.arrival < entry.arrival and other.priority == entry.priority
        self.prefilling = entry
        self._reuse(entry, len(self.decoding))

    def _vacate(self, entry: Entry) -> None:
        """Fill the gap with the last that decodes, and that one's place with the text that is read in."""
        slot, last = self.decoding.index(entry), len(self.decoding) - 1
        if slot != last:
            self._swap(slot, last)
            self.decoding[slot] = self.decoding[last]
        self.decoding.pop()
        if self.prefilling is not None:
            self._swap(last, last + 1)

    def _swap(self, one: int, other: int) -> None:
        held = self.held
        self._moves.append(Move(one, other, max(len(held[one]), len(held[other])), swap=True))
        held[one], held[other] = held[other], held[one]

    def _reuse(self, entry: Entry, slot: int) -> None:
        """Start from the slot that holds the longest beginning of this text.

        Compared token by token: slots are few, and a hash would have to be compared all the same. Whole chunks only:
        so the rest is cut as it would have been without, and the numbers are the same to the last bit.
        """
        room = len(entry.tokens) - 1
        shared = [min(room, _common(entry.tokens, held)) // self.chunk * self.chunk for held in self.held]
        best = max(range(self.slots), key=lambda each: (shared[each], each == slot))
        length = entry.done = shared[best]
        if best > slot:
            self._swap(best, slot)
        elif best < slot and length:
            self._moves.append(Move(best, slot, length, swap=False))
        self.held[slot] = entry.tokens[:length]


def _common(one: list[int], other: list[int]) -> int:
    """Length of the common beginning."""
    size = min(len(one), len(other))
    if one[:size] == other[:size]:
        return size
    return next(at for at in range(size) if one[at] != other[at])
