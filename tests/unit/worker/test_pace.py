"""How far ahead a worker pops."""

from __future__ import annotations

import pytest

from hordenode.worker.pace import MOST_AHEAD, Pace


def pace(capacity: int, call_s: float, job_s: float) -> Pace:
    made = Pace(capacity)
    for _ in range(50):
        made.called(call_s)
        made.worked(job_s)
    return made


def test_nothing_is_held_ahead_where_popping_costs_nothing() -> None:
    here = pace(1, 0.002, 0.2)
    assert here.ahead == 0
    assert [here.pops(held, 0, idle=False) for held in (0, 1)] == [1, 0]


def test_a_far_horde_is_asked_early_enough() -> None:
    far = pace(1, 0.1, 0.05)
    # what is asked for now arrives when two more jobs are done
    assert far.ahead >= 2
    assert far.pops(1, 0, idle=False) >= 2


def test_as_many_as_run_side_by_side_are_held() -> None:
    here = pace(8, 0.002, 2.0)
    assert [here.pops(held, 0, idle=False) for held in (0, 7, 8)] == [1, 1, 0]


@pytest.mark.parametrize("call_s", [0.5, 30.0])
def test_however_slow_the_horde_only_few_jobs_are_taken_from_others(call_s: float) -> None:
    slow = pace(1, call_s, 0.01)
    assert slow.ahead == MOST_AHEAD
    assert slow.pops(1 + MOST_AHEAD, 0, idle=False) == 0
    assert slow.pops(0, 3, idle=False) == 1 + MOST_AHEAD - 3


def test_one_pop_waits_while_there_is_nothing_to_do() -> None:
    far = pace(4, 0.5, 0.05)
    assert [far.pops(held, popping, idle=True) for held, popping in ((0, 0), (0, 1), (1, 0), (12, 0))] == [1, 0, 1, 0]
