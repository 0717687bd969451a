"""From logits to the next token of each text of a batch, by each job's own settings in its own order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hordenode.engine.jobs import TextJob, UnsupportedJob
from hordenode.engine.text import penalties, samplers
from hordenode.engine.text.guide import Guide
from hordenode.engine.text.history import History
from hordenode.engine.text.samplers import SPAN, Column, Logits

ORDER = (6, 0, 1, 3, 4, 2, 5)
TEMPERATURE, PENALTIES = 5, 6
NOTHING = -1
NOT_NEGATIVE = (
    *("temperature", "dynatemp_range", "smoothing_factor", "top_k", "top_a", "min_p", "rep_pen_slope"),
    *("mirostat_tau", "xtc_probability", "dry_multiplier", "dry_base"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """A function of logits and columns of `settings`, applied to the rows whose job is not at rest by `on`."""

    apply: Callable[..., Logits]
    settings: tuple[str, ...]
    on: Callable[[TextJob], bool]


Row = NDArray[np.float32]
Spans = NDArray[np.float32]
Step = Filter | None  # None: the penalties


@dataclass(slots=True)
class Draft:
    """What sampling knows of a text: its settings, its tokens of which the first `prompt` were given, its randomness.

    `banned`: tokens that may not come; `breakers`: where a repetition ends; `guide`: what form the text must have;
    `steps`: what is on, in its order; `short`: whether they begin with what needs few tokens alone; `sure`: whether the
    likeliest token is taken as it is; `surprise`: the most that mirostat lets through now, in bits.
    """

    job: TextJob
    tokens: list[int]
    prompt: int
    random: np.random.Generator
    banned: tuple[int, ...] = ()
    breakers: frozenset[int] = frozenset()
    guide: Guide | None = None
    steps: tuple[Step, ...] = field(init=False)
    history: History = field(init=False)
    short: bool = field(init=False)
    sure: bool = field(init=False)
    surprise: float = field(init=False)

    def __post_init__(self) -> None:
        self.steps = _steps(self.job)
        free = not self.job.logit_bias and self.guide is None
        self.short = free and _is_short(self.steps, self.job)
        self.sure = free and not self.banned and not self.steps and self.job.temperature == 0
        self.history = History(self.tokens)
        self.surprise = 2 * self.job.mirostat_tau


@dataclass(slots=True)
class _Row:
    """A text's logits [1, width] on their way; `tokens`: which ones they are, where not all of them."""

    number: int
    draft: Draft
    logits: Logits
    steps: tuple[Step, ...]
    tokens: NDArray[np.int64] | None = None


def _is_curved(job: TextJob) -> bool:
    """Whether the temperature differs from token to token, or from step to step."""
    return job.dynatemp_range > 0 or job.smoothing_factor > 0


FILTERS: dict[int, tuple[Filter, ...]] = {
    0: (Filter(samplers.keep_top_k, ("top_k",), lambda job: job.top_k > 0),),
    1: (Filter(samplers.keep_top_a, ("top_a",), lambda job: job.top_a > 0),),
    2: (
        Filter(samplers.keep_top_p, ("top_p",), lambda job: job.top_p < 1),
        Filter(samplers.keep_min_p, ("min_p",), lambda job: job.min_p > 0),
    ),
    3: (Filter(samplers.keep_tail_free, ("tfs",), lambda job: 0 < job.tfs < 1),),
    4: (Filter(samplers.keep_typical, ("typical",), lambda job: 0 < job.typical < 1),),
    5: (
        Filter(samplers.cool, ("temperature",), lambda job: job.temperature != 1 and not _is_curved(job)),
        Filter(
            samplers.temper,
            ("temperature", "dynatemp_range", "dynatemp_exponent", "smoothing_factor"),
            _is_curved,
        ),
    ),
}


TOP_K = FILTERS[0][0]


def check(job: TextJob) -> None:
    """Raises UnsupportedJob for settings that mean nothing."""
    for name in NOT_NEGATIVE:
        if not getattr(job, name) >= 0:
            raise UnsupportedJob(f"{name} is {getattr(job, name)}; it must be 0 or more.")
    if not job.rep_pen > 0:
        raise UnsupportedJob(f"rep_pen is {job.rep_pen}; it must be above 0.")


def pick(logits: NDArray[np.float32], drafts: Sequence[Draft], spans: Spans | None = None) -> list[int]:
    """The next token for each row of logits [rows, vocabulary]: NOTHING where they are no numbers. What is off costs nothing.

    `spans`: the highest of each SPAN neighbours [rows, spans], where known: whoever reads all logits waits for memory.
    A row may be changed meanwhile; in the end it is what it was.
    """
    chosen = [NOTHING] * len(drafts)
    if all(draft.sure for draft in drafts):
        best = _likeliest(logits, spans)
        return [token if isfinite(row[token]) else NOTHING for row, token in zip(logits, best, strict=True)]
    tops = (logits if spans is None else spans).max(axis=1).tolist()
    sound = [number for number, top in enumerate(tops) if isfinite(top)]
    known: Sequence[Row | None] = [None] * len(drafts) if spans is None else list(spans)
    for rows in _alike(_begin(number, logits[number], drafts[number], known[number]) for number in sound):
        for row, token in zip(rows, _finish(rows), strict=True):
            chosen[row.number] = token
    return chosen


def _steps(job: TextJob) -> tuple[Step, ...]:
    """What is on, in order. The likeliest token needs the penalties alone."""
    order = _full(job.sampler_order) if job.temperature > 0 else (PENALTIES,)
    if job.temperature > 0 and job.mirostat_tau > 0:
        order = (PENALTIES, TEMPERATURE)
    steps: list[Step] = []
    for number in order:
        if number == PENALTIES:
            steps += [None] if _is_penalised(job) else []
        else:
            steps += [each for each in FILTERS[number] if each.on(job)]
    return tuple(steps)


def _full(order: tuple[int, ...]) -> tuple[int, ...]:
    """An order names all: what it leaves out comes as it usually does."""
    known = tuple(dict.fromkeys(number for number in order if number in ORDER))
    return known + tuple(number for number in ORDER if number not in known)


def _is_short(steps: tuple[Step, ...], job: TextJob) -> bool:
    """Whether top_k comes first, or after penalties that reach only what was seen."""
    narrow = steps[:1] == (TOP_K,) or steps[:2] == (None, TOP_K)
    return narrow and job.dry_multiplier == 0 and 2 * job.top_k <= samplers.GROUPS


def _likeliest(logits: NDArray[np.float32], spans: Spans | None) -> list[int]:
    """The highest of each row, of equals the left one; what is no number counts as the highest."""
    if spans is None:
        best: list[int] = logits.argmax(axis=1).tolist()
        return best
    starts = [int(row.argmax()) * SPAN for row in spans]
    return [start + int(row[start : start + SPAN].argmax()) for row, start in zip(logits, starts, strict=True)]


def _begin(number: int, logits: Row, draft: Draft, spans: Row | None) -> _Row:
    """Work on all tokens until few are left: penalties need them all, and filters find the few."""
    if draft.sure:
        return _Row(number, draft, np.array([[0.0]]), (), np.array([[logits.argmax()]]))
    if draft.short and len(logits) >= samplers.WIDE:
        return _few(number, logits, draft, spans)
    row = _Row(number, draft, logits.astype(np.float64)[None], draft.steps)
    _bias(row.logits[0], draft)
    while row.steps and row.tokens is None:
        step, narrows = row.steps[0], None not in row.steps
        if narrows and step is TOP_K and _shorten(row, samplers.candidates(row.logits[0], draft.job.top_k)):
            break  # it will be applied to the candidates
        row.logits, row.steps = _apply(row.logits, [draft], step), row.steps[1:]
        if narrows:
            _shorten(row, np.flatnonzero(row.logits[0] > -np.inf))
    return row


def _few(number: int, logits: Row, draft: Draft, spans: Row | None) -> _Row:
    """What top_k leaves. Penalties reach what was seen: all others can be ranked as they are, and that apart."""
    count, banned = draft.job.top_k, np.array(draft.banned, np.int64)
    penalised = draft.steps[0] is None
    seen, places = draft.history.distinct() if penalised else (banned[:0], banned[:0])
    apart = np.concatenate((seen, banned)) if draft.banned else seen
    columns = np.concatenate((seen, samplers.others(logits, spans, apart, count)))
    values = logits[columns].astype(np.float64)
    if penalised:
        _penalise(values, places, draft)
    if draft.banned:
        values[np.isin(columns, banned)] = -np.inf
    best = samplers.candidates(values, count)
    values, found = samplers.padded(values, best[columns[best].argsort()])
    done = penalised + (len(columns) < samplers.WIDE)
    return _Row(number, draft, values, draft.steps[done:], columns[found])


def _shorten(row: _Row, columns: NDArray[np.int64]) -> bool:
    """Leave out all other columns, if that is worth while."""
    few = samplers.compact(row.logits[0], columns)
    if few is not None:
        row.logits, row.tokens = few
    return few is not None


def _alike(rows: Iterable[_Row]) -> Iterable[list[_Row]]:
    """Rows that go the same way from here; wide ones each alone, as they then stay in the processor's cache."""
    groups: dict[tuple[Any, ...], list[_Row]] = {}
    for row in rows:
        key = (
            (row.steps, row.logits.shape[1], row.draft.job.temperature > 0) if row.tokens is not None else (row.number,)
        )
        groups.setdefault(key, []).append(row)
    return groups.values()


def _finish(rows: list[_Row]) -> list[int]:
    """The filters that are left, and the choice."""
    drafts = [row.draft for row in rows]
    logits = rows[0].logits if len(rows) == 1 else np.concatenate([row.logits for row in rows])
    for step in rows[0].steps:
        logits = _apply(logits, drafts, step)
    drawn = drafts[0].job.temperature > 0
    columns = _draw(logits, drafts) if drawn else [int(column) for column in logits.argmax(axis=1)]
    return [
        column if row.tokens is None else int(row.tokens[0, column]) for row, column in zip(rows, columns, strict=True)
    ]


def _apply(logits: Logits, drafts: list[Draft], step: Step) -> Logits:
    if step is None:
        for row, draft in zip(logits, drafts, strict=True):
            _penalise(row, draft.history.ids(), draft)
        return logits
    jobs = [draft.job for draft in drafts]
    return step.apply(logits, *(_column(jobs, name) for name in step.settings))


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


def _column(jobs: list[TextJob], name: str) -> Column:
    value: Callable[[TextJob], Any] = attrgetter(name)
    return np.array([[value(job)] for job in jobs], np.float64)


def _bias(row: NDArray[np.float64], draft: Draft) -> None:
    for token, change in draft.job.logit_bias:
        if 0 <= token < len(row):
            row[token] += change
    if draft.guide is not None:
        draft.guide.limit(row)  # it alone decides when the text may end
    elif draft.banned:
        row[list(draft.banned)] = -np.inf


def _is_penalised(job: TextJob) -> bool:
    return job.rep_pen != 1.0 or job.dry_multiplier > 0 or bool(job.presence_penalty or job.frequency_penalty)


def _penalise(row: NDArray[np.float64], seen: NDArray[np.int64], draft: Draft) -> None:
    """`seen`: where in the row the text's tokens are."""
    job = draft.job
    if job.rep_pen != 1.0:
        penalties.repetition(row, seen, job)
    if job.presence_penalty or job.frequency_penalty:
        penalties.presence_and_frequency(row, seen[draft.prompt :], job)
    if job.dry_multiplier > 0:
        penalties.dont_repeat(row, seen, draft.breakers, job)
