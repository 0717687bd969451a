"""What a worker does about the answers of a horde (worker_protocol.md 2 and 3). Decisions only, nothing is sent here."""

from __future__ import annotations

import enum
import random
from collections.abc import Callable
from dataclasses import dataclass

from hordenode.protocol.errors import HordeError, ValidationFailed

# Seconds.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
SLOW = 45.0  # in maintenance the own requests would still be served
CONFIGURATION = 60.0
ADMISSION = 300.0
SUBMIT_TRIES = 10
SUBMIT_PAUSES = (1.0, 10.0)

OUR_FAULT = {"WrongCredentials", "WorkerFlaggedMaintenance", "AnonForbiddenWorker", "DeletedUser", "InvalidAPIKey"}
CROWDED = {"WorkerInviteOnly", "TooManyWorkers", "TooManyWorkersTrusted", "TooManySameIPs", "UnsafeIP"}
UNWELCOME = {"TimeoutIP", "TooManyNewIPs"}
GONE = {"InvalidJobID", "DuplicateGen", "AbortedGen"}


class Step(enum.Enum):
    """What comes next."""

    RETRY = "retry"  # the same again, after a pause
    STOP = "stop"  # nothing will change by itself: the owner has to do something
    DROP = "drop"  # this job is over


@dataclass(frozen=True, slots=True)
class Reaction:
    """`pause` in seconds before the next try; `advice` for the owner, where there is something to do."""

    step: Step
    pause: float = 0.0
    advice: str = ""


def to_pop(error: Exception, failures: int, spread: Callable[[float, float], float] = random.uniform) -> Reaction:
    """After the `failures`-th pop in a row that failed, counted from 1. `spread`: a random number between two."""
    if not isinstance(error, HordeError):
        return Reaction(Step.RETRY, _growing(failures, spread))
    if isinstance(error, ValidationFailed):
        return Reaction(Step.STOP, advice="This horde does not understand the worker's offer.")
    if error.status == 401 or error.rc in OUR_FAULT:
        return Reaction(Step.STOP, advice=_advice(error))
    if error.retry_after is not None:
        return Reaction(Step.RETRY, error.retry_after + spread(0, 1))
    if error.rc == "WorkerMaintenance":
        return Reaction(Step.RETRY, SLOW * spread(0.7, 1.3))
    if error.rc in CROWDED or error.rc in UNWELCOME:
        return Reaction(Step.RETRY, ADMISSION * spread(0.7, 1.3))
    if error.status in (400, 403):
        return Reaction(Step.RETRY, CONFIGURATION * spread(1.0, 1.3), "Check the worker's name, models and users.")
    return Reaction(Step.RETRY, _growing(failures, spread))


def to_lost_engine(failures: int, spread: Callable[[float, float], float] = random.uniform) -> float:
    """Seconds until another job is asked for, after the `failures`-th in a row for which the engine was not there."""
    return _growing(failures, spread)


def to_submit(error: Exception, tries: int, spread: Callable[[float, float], float] = random.uniform) -> Reaction:
    """After the `tries`-th try to hand in a result. It is safe to repeat: a horde knows what it already has."""
    if isinstance(error, HordeError):
        slow = "The worker is too slow for this horde: offer fewer or smaller jobs." if error.rc == "AbortedGen" else ""
        if error.rc in GONE or error.status in (400, 401, 403, 404):
            return Reaction(Step.DROP, advice=slow)
    if tries >= SUBMIT_TRIES:
        return Reaction(Step.DROP, advice="The horde could not be told; it will hand the job out again.")
    if isinstance(error, HordeError) and error.retry_after is not None:
        return Reaction(Step.RETRY, error.retry_after + spread(0, 1))
    least, most = SUBMIT_PAUSES
    return Reaction(Step.RETRY, min(most, least * 1.5 ** (tries - 1)) * spread(0.7, 1.3))


def _growing(failures: int, spread: Callable[[float, float], float]) -> float:
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 10))) * spread(0.7, 1.0)


def _advice(error: HordeError) -> str:
    if error.rc == "WrongCredentials":
        return "This worker name belongs to another user of the horde: give the worker another name."
    if error.status == 401:
        return "The horde does not know this API key."
    return "The horde does not take workers of this account; its message says why."
