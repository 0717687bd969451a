"""The scheduler by itself: a model is not needed to know where keys and values stand."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from hordenode.engine.text.scheduler import Entry, Plan, Scheduler

CHUNK = 4


@dataclass
class Machine:
    """A scheduler with an arena of plain lists: what stands in a slot is the tokens themselves."""

    scheduler: Scheduler
    arena: list[list[int | None]] = field(default_factory=list)
    wanted: dict[str, int] = field(default_factory=dict)
    finished: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.arena = [[None] * 100 for _ in range(self.scheduler.slots)]

    def add(self, entry: Entry, length: int) -> None:
        self.wanted[entry.id] = len(entry.tokens) + length
        self.scheduler.add(entry)

    def step(self) -> Plan:
        plan = self.scheduler.plan()
        for move in plan.moves:
            source, target = self.arena[move.source], self.arena[move.target]
            kept = target[: move.length]
            target[: move.length] = source[: move.length]
            if move.swap:
                source[: move.length] = kept
        grown = list(plan.decode)
        for slot, entry in enumerate(plan.decode):
            self._expect(slot, entry)
            self.arena[slot][entry.done] = entry.tokens[entry.done]
        if plan.decode:
            self.scheduler.decoded(plan)
        entry_read = plan.prefill
        if entry_read is not None:
            slot = plan.slot
            assert len(plan.decode) in (0, slot) and slot < self.scheduler.slots
            self._expect(slot, entry_read)
            self.arena[slot][entry_read.done : plan.stop] = list(entry_read.tokens[entry_read.done : plan.stop])
            if self.scheduler.prefilled(plan):
                grown.append(entry_read)
        self._count()
        for entry in grown:
            entry.tokens.append(len(entry.tokens) % 3)
            if len(entry.tokens) >= self.wanted[entry.id]:
                self.finished.append(entry.id)
                self.scheduler.remove(entry)
        return plan

    def _count(self) -> None:
        """Each text is in one place, and no slot has two."""
        scheduler = self.scheduler
        seated = [*scheduler.decoding, *([scheduler.prefilling] if scheduler.prefilling else [])]
        assert len(seated) <= scheduler.slots == len(scheduler.held)
        for slot, entry in enumerate(seated):
            assert scheduler.held[slot] == entry.tokens[: entry.done]
        places = [entry.id for entry in (*seated, *scheduler.waiting)]
        assert sorted([*places, *self.finished, *self.dropped]) == sorted(self.wanted)

    def drop(self, entry: Entry) -> None:
        """Cancel a text that is not finished."""
        self.scheduler.remove(entry)
        self.dropped.append(entry.id)

    def _expect(self, slot: int, entry: Entry) -> None:
        """Keys and values of a text stand in its slot, whatever was moved."""
        assert self.arena[slot][: entry.done] == entry.tokens[: entry.done]


prompts = st.lists(st.integers(0, 1), min_size=1, max_size=20)
arrivals = st.lists(st.tuples(st.integers(0, 3), prompts, st.integers(1, 8), st.integers(0, 2)), max_size=12)


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 4), arrivals, st.sets(st.integers(0, 11), max_size=4))
def test_slots_hold_what_they_should_and_everybody_is_served(
    slots: int, jobs: list[tuple[int, list[int], int, int]], cancelled: set[int]
) -> None:
    """Steps between arrivals, prompt, length and priority of each job; some are cancelled a step after they came."""
    machine = Machine(Scheduler(slots, CHUNK))
    for number, (pause, prompt, length, priority) in enumerate(jobs):
        entry = Entry(str(number), list(prompt), priority)
        machine.add(entry, length)
        for _ in range(pause):
            machine.step()
        if number in cancelled and entry.id not in machine.finished:
            machine.drop(entry)
    steps = 0
    while machine.scheduler.busy:
        machine.step()
        steps += 1
        assert steps < 5000
    assert sorted([*machine.finished, *machine.dropped]) == sorted(str(number) for number in range(len(jobs)))


def _read(plan: Plan) -> int:
    """How many tokens of a prompt a step read; after it was done."""
    return 0 if plan.prefill is None else (plan.stop - 1) % CHUNK + 1


def test_others_decode_while_a_long_prompt_is_read() -> None:
    machine = Machine(Scheduler(2, CHUNK))
    machine.add(Entry("talker", [1]), 20)
    machine.step()
    machine.add(Entry("reader", [2] * 40), 1)
    plans = [machine.step() for _ in range(10)]
    assert [plan.stop for plan in plans] == [CHUNK * at for at in range(1, 11)]
    assert [[entry.id for entry in plan.decode] for plan in plans] == [[], *[["talker"]] * 9]


def test_short_prompts_share_the_pause_of_those_that_decode() -> None:
    machine = Machine(Scheduler(8, chunk=32))
    machine.add(Entry("talker", [9]), 20)
    machine.step()
    for number in range(6):
        machine.add(Entry(f"{number}", [number] * 10), 20)
    plans = [machine.step() for _ in range(7)]
    assert [len(plan.decode) for plan in plans] == [0, 0, 0, 4, 0, 0, 7]


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 6), st.lists(st.tuples(st.integers(0, 3), st.integers(1, 11)), min_size=1, max_size=20))
def test_no_more_than_a_chunk_is_read_between_two_tokens(slots: int, arrivals: list[tuple[int, int]]) -> None:
    """Of each prompt: steps after the one before it, and its length."""
    machine, pause, together = Machine(Scheduler(slots + 1, CHUNK)), 0, 0
    machine.add(Entry("talker", [50]), 200)
    machine.step()
    for number, (steps, length) in enumerate(arrivals):
        machine.add(Entry(str(number), [60 + number] * length), 2)
        for _ in range(steps):
            plan = machine.step()
            together += bool(plan.decode)
            pause = (0 if plan.decode else pause) + _read(plan)
            assert pause <= CHUNK
            if plan.decode:
                assert plan.decode[0].id == "talker"
    assert len(machine.scheduler.decoding[0].tokens) == 2 + together


steps_and_tokens = st.tuples(st.integers(0, 6), st.integers(1, 20), st.integers(1, 12))


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 3),
    st.lists(steps_and_tokens, min_size=1, max_size=6),
    st.lists(steps_and_tokens, min_size=1, max_size=8),
)
def test_texts_for_others_hold_local_ones_up_by_no_step(
    slots: int, local: list[tuple[int, int, int]], foreign: list[tuple[int, int, int]]
) -> None:
    """Local texts end with the very step with which they would without those of another horde, however many come.

    Of each: steps after the one before it, length of its prompt and of its text. No two begin alike, so that none
    finds anything in a slot.
    """
    assert _ends(slots, local, foreign) == _ends(slots, local, [])


def _ends(slots: int, local: list[tuple[int, int, int]], foreign: list[tuple[int, int, int]]) -> list[int]:
    """The step with which each local text ends."""
    machine = Machine(Scheduler(slots, CHUNK))
    coming: list[tuple[int, Entry, int]] = []
    for priority, texts in enumerate((local, foreign)):
        step = 0
        for number, (pause, prompt, length) in enumerate(texts):
            step += pause
            tokens = [100 + 100 * priority + number] * prompt
            coming.append((step, Entry(f"{priority} {number}", tokens, priority), length))
    ended: dict[str, int] = {}
    step = 0
    while coming or machine.scheduler.busy:
        for _, entry, length in (each for each in coming if each[0] == step):
            machine.add(entry, length)
        coming = [each for each in coming if each[0] > step]
        plan = machine.step()
        assert len({entry.priority for entry in (*plan.decode, *([plan.prefill] if plan.prefill else []))}) <= 1
        ended |= {name: step for name in machine.finished if name not in ended}
        step += 1
        assert step < 2000
    return [ended[f"0 {number}"] for number in range(len(local))]


def test_a_prompt_of_another_horde_makes_way_and_goes_on_from_where_it_was() -> None:
    machine = Machine(Scheduler(3, CHUNK))
    foreign, local = Entry("foreign", [2] * 40, priority=1), Entry("local", [1] * 5)
    machine.add(foreign, 1)
    machine.step()
    machine.step()
    machine.add(local, 1)
    assert machine.step().prefill is local
    while "foreign" not in machine.finished:
        machine.step()
    assert machine.finished == ["local", "foreign"]


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(1, 6), st.sampled_from("ab")), min_size=20, max_size=60),
)
def test_nobody_is_passed_over_for_ever(slots: int, arrivals: list[tuple[int, str]]) -> None:
    """However many of a user with fewer texts keep coming, so many at most are let by."""
    machine = Machine(Scheduler(slots, CHUNK))
    entries = []
    for number, (length, user) in enumerate(arrivals):
        entries.append(Entry(str(number), [number % 3] * (1 + number % 9), user=user))
        machine.add(entries[-1], length)
        machine.step()
        assert all(entry.passed <= 2 * slots + 1 for entry in entries)
    while machine.scheduler.busy:
        machine.step()


def test_a_slot_is_free_within_one_step_of_a_cancel() -> None:
    machine = Machine(Scheduler(1, CHUNK))
    first, second = Entry("first", [1]), Entry("second", [2])
    machine.add(first, 50)
    machine.add(second, 5)
    machine.step()
    machine.drop(first)
    assert machine.step().prefill is second


def test_users_take_turns() -> None:
    machine = Machine(Scheduler(2, CHUNK))
    for number in range(3):
        machine.add(Entry(f"many {number}", [1], user="many"), 9)
    machine.add(Entry("one", [1], user="one"), 9)
    machine.step()
    machine.step()
    assert {entry.id for entry in machine.step().decode} == {"many 0", "one"}


def test_a_common_beginning_is_taken_from_the_slot_that_has_it() -> None:
    machine = Machine(Scheduler(3, CHUNK))
    machine.add(Entry("first", [1, 2, 3, 4, 5, 6, 7, 8, 9]), 30)
    for _ in range(3):
        machine.step()
    machine.add(Entry("second", [1, 2, 3, 4, 5, 6, 7, 8, 8, 8]), 2)
    plan = machine.step()
    assert plan.prefill is not None
    assert (plan.prefill.id, plan.stop) == ("second", 10)
    assert [(move.source, move.target, move.length, move.swap) for move in plan.moves] == [(0, 1, 8, False)]
