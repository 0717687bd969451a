"""From logits to the next token of each text of a batch, by each job's own settings in its own order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hordenode.engine.jobs import TextJob, UnsupportedJob
from hordenode.engine.text import penalties, samplers
from hordenode.engine.text.samplers import Column, Logits

ORDER = (6, 0, 1, 3, 4, 2, 5)
TEMPERATURE, PENALTIES = 5, 6
NOT_NEGATIVE = (
    *("temperature", "dynatemp_range", "smoothing_factor", "top_k", "top_a", "min_p", "rep_pen_slope"),
    *("mirostat_tau", "xtc_probability", "dry_multiplier", "dry_base"),
)


@dataclass(slots=True)
class Draft:
    """What sampling knows of a text: its settings, its tokens of which the first `prompt` were given, its randomness.

    `banned`: tokens that may not come; `breakers`: where a repetition ends; `surprise`: the most that mirostat lets
    through now, in bits.
    """

    job: TextJob
    tokens: list[int]
    prompt: int
    random: np.random.Generator
    banned: tuple[int, ...] = ()
    breakers: frozenset[int] = frozenset()
    surprise: float = field(init=False)

    def __post_init__(self) -> None:
        self.surprise = 2 * self.job.mirostat_tau


@dataclass(frozen=True, slots=True)
class _Filter:
    """A function of logits and columns of `settings`, applied to the rows whose job is not at rest by `on`."""

    apply: Callable[..., Logits]
    settings: tuple[str, ...]
    on: Callable[[TextJob], bool]


FILTERS: dict[int, tuple[_Filter, ...]] = {
    0: (_Filter(samplers.keep_top_k, ("top_k",), lambda job: job.top_k > 0),),
    1: (_Filter(samplers.keep_top_a, ("top_a",), lambda job: job.top_a > 0),),
    2: (
        _Filter(samplers.keep_top_p, ("top_p",), lambda job: job.top_p < 1),
        _Filter(samplers.keep_min_p, ("min_p",), lambda job: job.min_p > 0),
    ),
    3: (_Filter(samplers.keep_tail_free, ("tfs",), lambda job: 0 < job.tfs < 1),),
    4: (_Filter(samplers.keep_typical, ("typical",), lambda job: 0 < job.typical < 1),),
    5: (
        _Filter(
            samplers.temper,
            ("temperature", "dynatemp_range", "dynatemp_exponent", "smoothing_factor"),
            lambda job: (job.temperature, job.dynatemp_range, job.smoothing_factor) != (1.0, 0.0, 0.0),
        ),
    ),
}


def check(job: TextJob) -> None:
    """Raises UnsupportedJob for settings that mean nothing."""
    for name in NOT_NEGATIVE:
        if not getattr(job, name) >= 0:
            raise UnsupportedJob(f"{name} is {getattr(job, name)}; it must be 0 or more.")
    if not job.rep_pen > 0:
        raise UnsupportedJob(f"rep_pen is {job.rep_pen}; it must be above 0.")


def pick(logits: NDArray[np.float32], drafts: Sequence[Draft]) -> list[int]:
    """The next token for each row of logits [rows, vocabulary]; what is off costs nothing."""
    tokens = [0] * len(drafts)
    for order, rows in _by_order(drafts).items():
        chosen = _pick(logits[rows].astype(np.float64), [drafts[row] for row in rows], order)
        for row, token in zip(rows, chosen, strict=True):
            tokens[row] = token
    return tokens


def _by_order(drafts: Sequence[Draft]) -> dict[tuple[int, ...], list[int]]:
    """Rows by sampler order; those that take the likeliest token need the penalties alone."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for row, draft in enumerate(drafts):
        job = draft.job
        order = _full(job.sampler_order) if job.temperature > 0 else (PENALTIES,)
        if job.temperature > 0 and job.mirostat_tau > 0:
            order = (PENALTIES, TEMPERATURE)
        groups.setdefault(order, []).append(row)
    return groups


def _full(order: tuple[int, ...]) -> tuple[int, ...]:
    """An order names all: what it leaves out comes as it usually does."""
    known = tuple(dict.fromkeys(number for number in order if number in ORDER))
    return known + tuple(number for number in ORDER if number not in known)


def _pick(logits: Logits, drafts: list[Draft], order: tuple[int, ...]) -> list[int]:
    for row, draft in enumerate(drafts):
        _bias(logits[row], draft)
    tokens: NDArray[np.int64] | None = None
    for at, number in enumerate(order):
        if number == PENALTIES:
            _penalise(logits, drafts)
            continue
        for each in FILTERS[number]:
            logits = _filter(logits, drafts, each)
        # Penalties need all columns; after them, what is out is left out.
        if tokens is None and PENALTIES in order[:at] and (small := samplers.compact(logits)) is not None:
            logits, tokens = small
    if TEMPERATURE not in order:
        return [int(token) for token in logits.argmax(axis=1)]
    drawn = _draw(logits, drafts)
    return drawn if tokens is None else [int(tokens[row, column]) for row, column in enumerate(drawn)]


def _draw(logits: Logits, drafts: list[Draft]) -> list[int]:
    """What comes after any order: XTC, mirostat's bound and the dice. Returns columns."""
    lucky = [row for row, draft in enumerate(drafts) if 0 < draft.job.xtc_probability > draft.random.random()]
    if lucky:
        threshold = _column([drafts[row].job for row in lucky], "xtc_threshold")
        logits[lucky] = samplers.exclude_top(logits[lucky], threshold)
    bounded = [row for row, draft in enumerate(drafts) if draft.job.mirostat_tau > 0]
    if bounded:
        most = np.array([[drafts[row].surprise] for row in bounded])
        logits[bounded] = samplers.keep_unsurprising(logits[bounded], most)
    chances = samplers.softmax(logits) if bounded else samplers.weigh(logits)
    points = np.array([draft.random.random() for draft in drafts])
    tokens = [int(token) for token in samplers.draw(chances, points)]
    for row in bounded:
        job = drafts[row].job
        observed = -float(np.log2(chances[row, tokens[row]]))
        drafts[row].surprise -= job.mirostat_eta * (observed - job.mirostat_tau)
    return tokens


def _filter(logits: Logits, drafts: list[Draft], filter_: _Filter) -> Logits:
    rows = [row for row, draft in enumerate(drafts) if filter_.on(draft.job)]
    if not rows:
        return logits
    columns = [_column([drafts[row].job for row in rows], name) for name in filter_.settings]
    if len(rows) == len(drafts):
        return filter_.apply(logits, *columns)
    logits[rows] = filter_.apply(logits[rows], *columns)
    return logits


def _column(jobs: list[TextJob], name: str) -> Column:
    value: Callable[[TextJob], Any] = attrgetter(name)
    return np.array([[value(job)] for job in jobs], np.float64)


def _bias(row: NDArray[np.float64], draft: Draft) -> None:
    for token, change in draft.job.logit_bias:
        if 0 <= token < len(row):
            row[token] += change
    if draft.banned:
        row[list(draft.banned)] = -np.inf


def _penalise(logits: Logits, drafts: list[Draft]) -> None:
    for row, draft in enumerate(drafts):
        job = draft.job
        if job.rep_pen != 1.0:
            logits[row] = penalties.repetition(logits[row], draft.tokens, job)
        if job.presence_penalty or job.frequency_penalty:
            logits[row] = penalties.presence_and_frequency(logits[row], draft.tokens[draft.prompt :], job)
        if job.dry_multiplier > 0:
            logits[row] = penalties.dont_repeat(logits[row], draft.tokens, draft.breakers, job)
