"""The back-off table of worker_protocol.md 2 and the submit answers of 3, line by line."""

from __future__ import annotations

import pytest

from hordenode.protocol.errors import HordeError, PlainError, ValidationFailed
from hordenode.worker.reactions import LONGEST_PAUSE, Step, to_pop, to_submit


def middle(low: float, high: float) -> float:
    return (low + high) / 2


def refusal(status: int, rc: str, message: str = "no") -> HordeError:
    return HordeError.from_wire(status, {"message": message, "rc": rc})


STOPS = [
    ValidationFailed({"name": "'name' is a required property"}),
    refusal(401, "InvalidAPIKey"),
    refusal(403, "WrongCredentials"),
    refusal(403, "WorkerFlaggedMaintenance"),
    refusal(403, "AnonForbiddenWorker"),
    refusal(403, "DeletedUser"),
]
PAUSES = [
    (refusal(400, "InvalidPriorityUsername"), 60, 80),
    (refusal(400, "BadRequest", "we cannot accept workers serving"), 60, 80),
    (refusal(400, "PolymorphicNameConflict"), 60, 80),
    (refusal(400, "ProfaneWorkerName"), 60, 80),
    (refusal(403, "WorkerMaintenance"), 30, 60),
    (refusal(403, "WorkerInviteOnly"), 120, 600),
    (refusal(403, "TooManyWorkers"), 120, 600),
    (refusal(403, "TooManySameIPs"), 120, 600),
    (refusal(403, "UnsafeIP"), 120, 600),
    (refusal(403, "TimeoutIP"), 60, 600),
    (refusal(403, "TooManyNewIPs"), 60, 600),
    (PlainError(429, "slow down", retry_after=7), 7, 8),
    (PlainError(502, "HTTP status 502 without a message"), 0.5, 60),
    (OSError("connection refused"), 0.5, 60),
]


@pytest.mark.parametrize("error", STOPS, ids=str)
def test_a_pop_that_will_never_work_stops_the_worker_and_says_what_to_do(error: HordeError) -> None:
    reaction = to_pop(error, 1, middle)
    assert reaction.step is Step.STOP
    assert reaction.advice


@pytest.mark.parametrize(("error", "least", "most"), PAUSES, ids=lambda value: str(value)[:40])
def test_a_pop_that_may_work_later_is_tried_again_later(error: Exception, least: float, most: float) -> None:
    for spread in (min, middle, max):
        reaction = to_pop(error, 1, spread)
        assert reaction.step is Step.RETRY
        assert least <= reaction.pause <= most


def test_trouble_that_lasts_is_asked_about_ever_more_rarely() -> None:
    pauses = [to_pop(OSError("reset"), failures, middle).pause for failures in range(1, 30)]
    assert pauses == sorted(pauses)
    assert pauses[0] < 2
    assert 30 < pauses[-1] <= LONGEST_PAUSE


@pytest.mark.parametrize(
    "error",
    [refusal(404, "InvalidJobID"), refusal(400, "DuplicateGen"), refusal(400, "AbortedGen"), PlainError(401, "")],
)
def test_a_result_that_nobody_wants_is_dropped(error: HordeError) -> None:
    assert to_submit(error, 1).step is Step.DROP


def test_a_result_that_did_not_arrive_is_sent_ten_times_over_a_minute() -> None:
    for error in (PlainError(500, "oops"), OSError("reset")):
        steps = [to_submit(error, tries, middle) for tries in range(1, 11)]
        assert [each.step for each in steps] == [Step.RETRY] * 9 + [Step.DROP]
        assert all(0.7 <= each.pause <= 13 for each in steps[:-1])


def test_a_busy_horde_says_itself_when_to_hand_in() -> None:
    assert to_submit(PlainError(429, "slow down", retry_after=3), 1, middle).pause == 3.5
