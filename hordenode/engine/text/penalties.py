"""What is known of a text so far changes the logits of its next token."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hordenode.engine.jobs import TextJob

Row = NDArray[np.float64]

LONGEST = 50  # tokens of a repeated stretch that are counted: by then the penalty rules out anything


def repetition(logits: Row, seen: Sequence[int], job: TextJob) -> Row:
    """Make tokens that were seen less likely (Keskar et al. 2019, section 4.1), the older the less where there is a slope.

    With `rep_pen_slope` s the penalty of a place x, -1 for the oldest in range and 1 for the newest, goes from none to
    all along s·x / (1 + |x|·(s - 1)).
    """
    ids = np.asarray(seen[-job.rep_pen_range :], np.int64)
    penalties = np.full(len(ids), job.rep_pen)
    if job.rep_pen_slope > 0 and job.rep_pen_range > 1:
        x = np.linspace(-1.0, 1.0, job.rep_pen_range)[-len(ids) :]
        slope = job.rep_pen_slope
        penalties = 1.0 + (job.rep_pen - 1.0) * (1.0 + slope * x / (1.0 + np.abs(x) * (slope - 1.0))) / 2.0
    strongest = np.ones(len(logits))
    strongest[ids] = penalties  # of equal ids the newest, which is the last, counts
    ids = np.unique(ids)
    held, factor = logits[ids], strongest[ids]
    changed = logits.copy()
    changed[ids] = np.where(held > 0, held / factor, held * factor)
    return changed


def presence_and_frequency(logits: Row, written: Sequence[int], job: TextJob) -> Row:
    """Take off a sum for each token that was written, and one for each time (the OpenAI API's definition)."""
    ids, counts = np.unique(np.asarray(written, np.int64), return_counts=True)
    changed = logits.copy()
    changed[ids] -= job.presence_penalty + job.frequency_penalty * counts
    return changed


def dont_repeat(logits: Row, tokens: Sequence[int], breakers: frozenset[int], job: TextJob) -> Row:
    """Take off multiplier · base^(n - allowed) from what would go on with a repeated stretch of n tokens (DRY, 2024)."""
    seen = tokens[-job.dry_range :]
    changed = logits.copy()
    for token, length in _repeats(seen, breakers).items():
        if length >= job.dry_allowed_length:
            changed[token] -= job.dry_multiplier * job.dry_base ** (length - job.dry_allowed_length)
    return changed


def _repeats(tokens: Sequence[int], breakers: frozenset[int]) -> dict[int, int]:
    """For each token that once followed the present ending: how many tokens of the ending stood before it."""
    last = len(tokens) - 1
    longest: dict[int, int] = {}
    for at in range(last):
        length = 0
        while length <= min(at, LONGEST) and tokens[at - length] == tokens[last - length] not in breakers:
            length += 1
        if length:
            longest[tokens[at + 1]] = max(length, longest.get(tokens[at + 1], 0))
    return longest
