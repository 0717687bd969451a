"""Who is woken for a job: as many as there are jobs, in whatever order their looks at the queue end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress

import msgspec
import pytest

from hordenode.coordinator.line import Line, LineMoved
from hordenode.coordinator.verdicts import Verdicts
from hordenode.coordinator.waiters import Waiter, Waiters
from hordenode.domain.entities import Kind, WaitingPrompt

REQUEST = WaitingPrompt(
    id="request", kind=Kind.TEXT, user_id=1, lane_id=1, signature_id=1, order_key=0, arrival=0, n=2, jobs=2,
    processing=0, finished=0, restarted=0, faulted=False, cancelled=False, things=80, price=1, consumed=0,
    created_ms=0, expires_ms=0,
)  # fmt: skip


class Crowd:
    """Three workers that wait, and a request of two jobs that comes."""

    def __init__(self, stack: ExitStack) -> None:
        self.line = Line()
        self.all = Waiters(Verdicts(), self.line)
        self.leave = [ExitStack() for _ in range(3)]
        self.each = [leave.enter_context(self.all.wait(Kind.TEXT)) for leave in self.leave]
        for leave in self.leave:
            stack.callback(leave.close)
        self.waiting(2)
        self.all.summon(REQUEST, 2)

    def waiting(self, n: int) -> None:
        """So many jobs of the request are left."""
        self.line.apply(LineMoved(msgspec.structs.replace(REQUEST, n=n)))

    def woken(self) -> list[bool]:
        return [waiter.heard.is_set() for waiter in self.each]

    def gone(self, waiter: Waiter) -> None:
        self.leave[self.each.index(waiter)].close()


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    with ExitStack() as stack:
        yield Crowd(stack)


def test_each_takes_its_job_and_nobody_else_is_woken(crowd: Crowd) -> None:
    assert crowd.woken() == [True, True, False], "those that waited longest"
    for left, waiter in zip((1, 0), crowd.each, strict=False):
        with crowd.all.look(waiter):
            crowd.waiting(left)
        crowd.gone(waiter)
    assert crowd.all.woken == 2 and not crowd.each[2].heard.is_set()


def test_a_job_that_the_first_one_leaves_goes_to_the_third(crowd: Crowd) -> None:
    first, second, third = crowd.each
    with crowd.all.look(second):
        crowd.waiting(1)
    assert not third.heard.is_set(), "the first one still comes for what is left"
    with crowd.all.look(first):
        pass
    assert third.heard.is_set() and not first.heard.is_set()


def test_a_job_is_not_lost_with_a_worker_that_hangs_up(crowd: Crowd) -> None:
    first, _, third = crowd.each
    with suppress(ConnectionError), crowd.all.look(first):
        raise ConnectionError
    assert third.heard.is_set()
    crowd.gone(first)
    assert crowd.all.woken == 3


def test_a_job_is_not_lost_with_a_worker_that_leaves_before_its_look(crowd: Crowd) -> None:
    crowd.gone(crowd.each[0])
    assert crowd.each[2].heard.is_set()


def test_a_job_that_comes_during_a_look_makes_it_look_again(crowd: Crowd) -> None:
    first = crowd.each[0]
    with crowd.all.look(first):
        crowd.waiting(3)
        crowd.all.summon(REQUEST, 1)
    assert first.heard.is_set()


def test_one_taker_after_another_is_woken_while_more_waits_than_was_looked_for(crowd: Crowd) -> None:
    for waiter in crowd.each:
        with crowd.all.look(waiter):
            pass  # each is refused
    assert crowd.woken() == [False] * 3
    crowd.waiting(3)
    crowd.all.summon(REQUEST, 1)
    for left, waiter in zip((2, 1, 0), crowd.each, strict=True):
        assert waiter.heard.is_set()
        with crowd.all.look(waiter):
            crowd.waiting(left)
        crowd.gone(waiter)
