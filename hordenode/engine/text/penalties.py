"""What is known of a text so far changes the logits of its next token: of a row [vocabulary], in place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hordenode.engine.jobs import TextJob

Row = NDArray[np.float64]
Ids = NDArray[np.int64]

LONGEST = 50  # tokens of a repeated stretch that are counted: by then the penalty rules out anything


def repetition(row: Row, seen: Ids, job: TextJob) -> None:
    """Make tokens that were seen less likely (Keskar et al. 2019, section 4.1), the older the less where there is a slope.

    With `rep_pen_slope` s the penalty of a place x, -1 for the oldest in range and 1 for the newest, goes from none to
    all along s·x / (1 + |x|·(s - 1)).
    """
    ids = seen[-job.rep_pen_range :]
    strength = _strength(len(ids), job)
    here = ids >= 0
    row[ids[here]] = weakened(row[ids[here]], strength[here])  # of equal ids the newest, which is the last, counts


def everywhere(job: TextJob) -> float | None:
    """By how much all that was seen is less likely, if it is by that alone; None where more must be known."""
    alone = not (job.presence_penalty or job.frequency_penalty or job.dry_multiplier > 0)
    return job.rep_pen if alone and job.rep_pen_range <= 0 and job.rep_pen_slope <= 0 else None


def only_lower(job: TextJob) -> bool:
    """Whether no token becomes likelier by them, and none changes that was not seen."""
    return job.rep_pen >= 1 and job.presence_penalty >= 0 and job.frequency_penalty >= 0 and job.dry_multiplier == 0


def weakened(held: Row, strength: Row) -> Row:
    """Logits after a penalty of so much."""
    return np.where(held > 0, held / strength, held * strength)


def _strength(count: int, job: TextJob) -> Row:
    """The penalty of each of the last `count` places."""
    if job.rep_pen_slope <= 0 or job.rep_pen_range <= 1:
        return np.full(count, job.rep_pen)
    x = np.linspace(-1.0, 1.0, job.rep_pen_range)[-count:]
    slope = job.rep_pen_slope
    strength: Row = 1.0 + (job.rep_pen - 1.0) * (1.0 + slope * x / (1.0 + np.abs(x) * (slope - 1.0))) / 2.0
    return strength


def presence_and_frequency(row: Row, written: Ids, job: TextJob) -> None:
    """Take off a sum for each token that was written, and one for each time (the OpenAI API's definition)."""
    ids, counts = np.unique(written[written >= 0], return_counts=True)
    row[ids] -= job.presence_penalty + job.frequency_penalty * counts


def dont_repeat(row: Row, tokens: Ids, breakers: frozenset[int], job: TextJob) -> None:
    """Take off multiplier · base^(n - allowed) from what would go on with a repeated stretch of n tokens (DRY, 2024)."""
    for token, length in _repeats(tokens[-job.dry_range :], breakers).items():
        if length >= job.dry_allowed_length:
            row[token] -= job.dry_multiplier * job.dry_base ** (length - job.dry_allowed_length)


def _repeats(ids: Ids, breakers: frozenset[int]) -> dict[int, int]:
    """For each token that once followed the present ending: how many tokens of the ending stood before it."""
    last = len(ids) - 1
    places = np.flatnonzero(ids[:-1] == ids[-1:]).tolist()
    tokens = ids.tolist() if places else []
    longest: dict[int, int] = {}
    for at in places:
        length = 0
        while length <= min(at, LONGEST) and tokens[at - length] == tokens[last - length] not in breakers:
            length += 1
        if length:
            longest[tokens[at + 1]] = max(length, longest.get(tokens[at + 1], 0))
    return longest
