"""From logits to the next token of each text of a batch, by each job's own settings in its own order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hordenode.engine.jobs import TextJob
from hordenode.engine.text import penalties, samplers, shortlist
from hordenode.engine.text.draft import TOP_K, Draft, Step
from hordenode.engine.text.samplers import SPAN, Column, Columns, Logits

NOTHING = -1
NEVER = np.empty(0, np.int64)

Row = NDArray[np.float32]
Grid = NDArray[np.float32]


@dataclass(slots=True)
class _Rows:
    """Texts that go the same way from here, with their numbers, and their logits [rows, width] on the way.

    `steps`: what is still to be applied; `tokens`: which ones the logits are of [rows, width], where not of all.
    """

    numbers: list[int]
    drafts: list[Draft]
    logits: Logits
    steps: tuple[Step, ...]
    tokens: Columns | None = None


def pick(logits: Grid, drafts: Sequence[Draft], spans: Grid | None = None) -> list[int]:
    """The next token for each row of logits [rows, vocabulary]: NOTHING where they are no numbers. What is off costs nothing.

    `spans`: the highest of each SPAN neighbours [rows, spans], where known: whoever reads all logits waits for memory.
    A row may be changed meanwhile; in the end it is what it was.
    """
    if all(draft.sure for draft in drafts):
        best = _likeliest(logits, spans)
        return [token if isfinite(row[token]) else NOTHING for row, token in zip(logits, best, strict=True)]
    chosen = [NOTHING] * len(drafts)
    tops = (logits if spans is None else spans).max(axis=1).tolist()
    sound = [number for number, top in enumerate(tops) if isfinite(top)]
    short: list[int] = []
    rest: list[_Rows] = []
    for number in sound:
        draft, is_wide = drafts[number], logits.shape[1] >= samplers.WIDE
        if is_wide and draft.short:
            short.append(number)
        elif is_wide and draft.open:
            chosen[number] = _draw_openly(logits[number], draft, tops[number])
        else:
            rest.append(_begin(number, logits[number], draft))
    if 0 < len(short) < len(logits):
        logits, spans = logits[short], None if spans is None else spans[short]
    few = _few(short, logits, [drafts[number] for number in short], spans) if short else []
    for rows in (*few, *_alike(rest)):
        for number, token in zip(rows.numbers, _finish(rows), strict=True):
            chosen[number] = token
    return chosen


def _likeliest(logits: Grid, spans: Grid | None) -> list[int]:
    """The highest of each row, of equals the left one; what is no number counts as the highest."""
    if spans is None:
        best: list[int] = logits.argmax(axis=1).tolist()
        return best
    starts = [int(row.argmax()) * SPAN for row in spans]
    return [start + int(row[start : start + SPAN].argmax()) for row, start in zip(logits, starts, strict=True)]


def _draw_openly(logits: Row, draft: Draft, top: float) -> int:
    """Any token, as likely as it is at the text's temperature."""
    banned, temperature, point = list(draft.banned), draft.job.temperature, draft.random.random()
    if not banned:
        return samplers.draw_hot(logits, top, temperature, point)
    hidden, logits[banned] = logits[banned], -np.inf
    token = samplers.draw_hot(logits, float(logits.max()), temperature, point)
    logits[banned] = hidden
    return token


def _few(numbers: list[int], logits: Grid, drafts: list[Draft], spans: Grid | None) -> list[_Rows]:
    """What top_k leaves of rows. Penalties reach what was seen: all else can be ranked as it is, and that apart."""
    logits = np.ascontiguousarray(logits)
    width, line = logits.shape[1], logits.reshape(-1)
    counts = np.array([draft.job.top_k for draft in drafts])
    known = [draft.history.distinct() if draft.penalised else NEVER for draft in drafts]
    sizes = [len(ids) for ids in known]
    seen = np.concatenate(known) + np.arange(0, len(line), width).repeat(sizes)
    banned = [token + row * width for row, draft in enumerate(drafts) for token in draft.banned]
    apart = np.append(seen, banned) if banned else seen
    held, line[apart] = line[apart], -np.inf
    found = shortlist.reaching(logits, counts, spans, apart)
    line[apart] = held
    values = _penalised(held[: len(seen)].astype(np.float64), sizes, drafts)
    if banned:
        values[np.isin(seen, banned)] = -np.inf
    near = values >= found.bounds.repeat(sizes)
    places, values = np.concatenate((seen[near], found.places)), np.concatenate((values[near], found.values))
    return [
        group
        for at, few, tokens in shortlist.highest(places, values, width, counts)
        for group in _by_steps([numbers[row] for row in at], [drafts[row] for row in at], few, tokens)
    ]


def _by_steps(numbers: list[int], drafts: list[Draft], logits: Logits, tokens: Columns) -> Iterable[_Rows]:
    """Rows to which top_k was applied, by what comes next."""
    steps = [draft.behind for draft in drafts]
    for kind in dict.fromkeys(steps):
        at = [row for row, each in enumerate(steps) if each == kind]
        alike = slice(None) if len(at) == len(steps) else at
        yield _Rows([numbers[row] for row in at], [drafts[row] for row in at], logits[alike], kind, tokens[alike])


def _begin(number: int, logits: Row, draft: Draft) -> _Rows:
    """Work on all tokens until few are left: penalties need them all, and filters find the few."""
    if draft.sure:
        return _Rows([number], [draft], np.array([[0.0]]), (), np.array([[logits.argmax()]]))
    row = _Rows([number], [draft], logits.astype(np.float64)[None], draft.steps)
    _bias(row.logits[0], draft)
    while row.steps and row.tokens is None:
        step, narrows = row.steps[0], None not in row.steps
        if narrows and step is TOP_K and _shorten(row, samplers.candidates(row.logits[0], draft.job.top_k)):
            break  # it will be applied to the candidates
        row.logits, row.steps = _apply(row.logits, [draft], step), row.steps[1:]
        if narrows:
            _shorten(row, np.flatnonzero(row.logits[0] > -np.inf))
    return row


def _shorten(row: _Rows, columns: Columns) -> bool:
    """Leave out all other columns of a single row, if that is worth while."""
    few = samplers.compact(row.logits[0], columns)
    if few is not None:
        row.logits, row.tokens = few
    return few is not None


def _alike(single: Iterable[_Rows]) -> Iterable[_Rows]:
    """Single rows that go the same way together; wide ones each alone, as they then stay in the processor's cache."""
    groups: dict[tuple[Any, ...], list[_Rows]] = {}
    for row in single:
        drawn = row.drafts[0].job.temperature > 0
        key = row.numbers if row.tokens is None else (row.steps, row.logits.shape[1], drawn)
        groups.setdefault(tuple(key), []).append(row)
    for first, *others in groups.values():
        if others:
            first.numbers = [number for row in (first, *others) for number in row.numbers]
            first.drafts = [draft for row in (first, *others) for draft in row.drafts]
            first.logits = np.concatenate([row.logits for row in (first, *others)])
            first.tokens = np.concatenate([row.tokens for row in (first, *others) if row.tokens is not None])
        yield first


def _finish(rows: _Rows) -> list[int]:
    """The filters that are left, and the choice."""
    logits = rows.logits
    for step in rows.steps:
        logits = _apply(logits, rows.drafts, step)
    drawn = rows.drafts[0].job.temperature > 0
    columns = _draw(logits, rows.drafts) if drawn else logits.argmax(axis=1)
    tokens = columns if rows.tokens is None else rows.tokens[np.arange(len(columns)), columns]
    chosen: list[int] = tokens.tolist()
    return chosen


def _apply(logits: Logits, drafts: list[Draft], step: Step) -> Logits:
    if step is None:
        for row, draft in zip(logits, drafts, strict=True):
            _penalise(row, draft.history.ids(), draft)
        return logits
    jobs = [draft.job for draft in drafts]
    return step.apply(logits, *(_column(jobs, name) for name in step.settings))


def _draw(logits: Logits, drafts: list[Draft]) -> Columns:
    """What comes after any order: XTC, mirostat's bound and the dice."""
    lucky = [row for row, draft in enumerate(drafts) if 0 < draft.job.xtc_probability > draft.random.random()]
    if lucky:
        threshold = _column([drafts[row].job for row in lucky], "xtc_threshold")
        logits[lucky] = samplers.exclude_top(logits[lucky], threshold)
    bounded = [row for row, draft in enumerate(drafts) if draft.job.mirostat_tau > 0]
    if bounded:
        most = np.array([[drafts[row].surprise] for row in bounded])
        logits[bounded] = samplers.keep_unsurprising(logits[bounded], most)
    chances = samplers.softmax(logits) if bounded else samplers.weigh(logits)
    columns = samplers.draw(chances, np.array([draft.random.random() for draft in drafts]))
    for row in bounded:
        job = drafts[row].job
        observed = -float(np.log2(chances[row, columns[row]]))
        drafts[row].surprise -= job.mirostat_eta * (observed - job.mirostat_tau)
    return columns


def _column(jobs: list[TextJob], name: str) -> Column:
    value: Callable[[TextJob], Any] = attrgetter(name)
    return _as_column(tuple(map(value, jobs)))


@lru_cache(maxsize=64)
def _as_column(values: tuple[float, ...]) -> Column:
    """The same texts come step after step."""
    column = np.array(values, np.float64)[:, None]
    column.flags.writeable = False
    return column


def _bias(row: NDArray[np.float64], draft: Draft) -> None:
    for token, change in draft.job.logit_bias:
        if 0 <= token < len(row):
            row[token] += change
    if draft.guide is not None:
        draft.guide.limit(row)  # it alone decides when the text may end
    elif draft.banned:
        row[list(draft.banned)] = -np.inf


def _penalised(values: NDArray[np.float64], sizes: list[int], drafts: list[Draft]) -> NDArray[np.float64]:
    """What was seen of each text, so many values one behind the other, after its penalties."""
    strengths = [draft.strength for draft in drafts if draft.strength]
    if len(strengths) == len(drafts):
        return penalties.weakened(values, np.array(strengths).repeat(sizes))
    start = 0
    for draft, size in zip(drafts, sizes, strict=True):
        if size:
            _penalise(values[start : start + size], draft.history.where(), draft)
        start += size
    return values


def _penalise(row: NDArray[np.float64], seen: NDArray[np.int64], draft: Draft) -> None:
    """`seen`: where in the row the text's tokens are."""
    job = draft.job
    if job.rep_pen != 1.0:
        penalties.repetition(row, seen, job)
    if job.presence_penalty or job.frequency_penalty:
        penalties.presence_and_frequency(row, seen[draft.prompt :], job)
    if job.dry_multiplier > 0:
        penalties.dont_repeat(row, seen, draft.breakers, job)
