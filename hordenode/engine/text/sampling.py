"""From logits to the next token of each text of a batch, by each job's own settings in its own order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hordenode.engine.jobs import TextJob
from hordenode.engine.text import penalties, samplers, shortlist
from hordenode.engine.text.chooser import Chooser
from hordenode.engine.text.draft import TOP_K, Draft, Step, Steps
from hordenode.engine.text.last_token import SPAN
from hordenode.engine.text.samplers import Column, Columns, Logits
from hordenode.engine.text.shortlist import Highest

NOTHING = -1

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
    steps: Steps
    tokens: Columns | None = None


def wanted(drafts: Iterable[Draft]) -> int:
    """How many of the highest logits of a row are of use to `pick`."""
    return max((draft.few for draft in drafts if draft.short), default=1)


def pick(
    logits: Grid, drafts: Sequence[Draft], highest: Highest | None = None, chooser: Chooser | None = None
) -> list[int]:
    """The next token for each row of logits [rows, vocabulary]: NOTHING where they are no numbers. What is off costs nothing.

    `highest`: of each row, at best as many as `wanted`, where known: whoever reads all logits waits for memory. Of texts
    for which these are enough, those with the usual settings are left to `chooser`, if there is one.
    """
    if all(draft.sure for draft in drafts):
        return _likeliest(logits, highest)
    chosen = [NOTHING] * len(drafts)
    tops = (logits.max(axis=1) if highest is None else highest.logits[:, 0]).tolist()
    ways = _sorted(drafts, tops, logits.shape[1], 0 if highest is None else highest.logits.shape[1])
    for number, token in zip(ways.openly, _draw_openly(ways.openly, logits, drafts, chooser), strict=True):
        chosen[number] = token
    rest = [_begin(number, logits[number], drafts[number]) for number in ways.rest]
    for (few, is_plain), numbers in ways.short.items():
        some, seen = [drafts[number] for number in numbers], _part(highest, numbers, few)
        if is_plain and seen is not None and chooser is not None:
            late = _choose(chooser, numbers, some, seen, chosen, logits.shape[1])
        else:
            begun, late = _few(numbers, logits, some, seen)
            rest = begun + rest
        rest += [_begin(number, logits[number], drafts[number]) for number in late]
    for rows in _alike(rest):
        for number, token in zip(rows.numbers, _finish(rows), strict=True):
            chosen[number] = token
    return chosen


class _Ways(NamedTuple):
    """Which rows go which way.

    openly: any token may come; short: a few of the highest are enough, by how many (0: more than are known) and whether
    they are plain; rest: all tokens are looked at.
    """

    openly: list[int]
    short: dict[tuple[int, bool], list[int]]
    rest: list[int]


def _sorted(drafts: Sequence[Draft], tops: list[float], width: int, known: int) -> _Ways:
    """Rows whose highest logit is a number; `known`: how many of the highest are."""
    ways = _Ways([], {}, [])
    is_wide = width >= samplers.WIDE
    for number, (draft, top) in enumerate(zip(drafts, tops, strict=True)):
        if not isfinite(top):
            continue
        if is_wide and draft.short:
            way = (draft.few, draft.plain) if draft.few <= known else (0, False)
            ways.short.setdefault(way, []).append(number)
        else:
            (ways.openly if is_wide and draft.open else ways.rest).append(number)
    return ways


def _part(highest: Highest | None, numbers: list[int], few: int) -> Highest | None:
    """The `few` highest of some rows, where known."""
    if highest is None or few == 0:
        return None
    at = slice(None) if len(numbers) == len(highest.logits) else numbers
    return Highest(highest.logits[at, :few], highest.tokens[at, :few])


def _choose(
    chooser: Chooser, numbers: list[int], drafts: list[Draft], seen: Highest, chosen: list[int], width: int
) -> list[int]:
    """Choose for some rows; the numbers of those for which too many candidates fell."""
    late = []
    for number, draft, token in zip(numbers, drafts, chooser.choose(drafts, seen, width), strict=True):
        if token is None:
            late.append(number)
            draft.look_further()
        else:
            chosen[number] = token
    return late


def _likeliest(logits: Grid, highest: Highest | None) -> list[int]:
    """The highest of each row, of equals the left one; NOTHING in a row that is no numbers."""
    if highest is None:
        columns = logits.argmax(axis=1)
        best, tops = columns.tolist(), logits[np.arange(len(columns)), columns].tolist()
    else:
        best, tops = highest.tokens[:, 0].tolist(), highest.logits[:, 0].tolist()
    return [token if isfinite(top) else NOTHING for token, top in zip(best, tops, strict=True)]


def _draw_openly(numbers: list[int], logits: Grid, drafts: Sequence[Draft], chooser: Chooser | None) -> list[int]:
    """For some rows any token, as likely as it is at the text's temperature."""
    if not numbers:
        return []
    if chooser is None or logits.shape[1] % SPAN:
        return [_draw_alone(logits[number], drafts[number]) for number in numbers]
    some = logits if len(numbers) == len(logits) else logits[numbers]
    return chooser.draw([drafts[number] for number in numbers], some)


def _draw_alone(logits: Row, draft: Draft) -> int:
    if draft.banned:
        logits = logits.copy()
        logits[list(draft.banned)] = -np.inf
    return samplers.draw_hot(logits, draft.job.temperature, draft.throw())


def _few(numbers: list[int], logits: Grid, drafts: list[Draft], seen: Highest | None) -> tuple[list[_Rows], list[int]]:
    """What top_k leaves of some rows; and the numbers of those where it was not seen, as too many candidates fell.

    Penalties only lower what was seen, so what is above the floor of the candidates is the highest of all.
    """
    counts = np.array([draft.job.top_k for draft in drafts])
    if seen is None:
        at = slice(None) if len(numbers) == len(logits) else numbers
        some_more = counts + [draft.spare for draft in drafts]
        found = shortlist.shortlist(np.ascontiguousarray(logits[at]), some_more)
    else:
        found = shortlist.told(seen)
    _lower(found, drafts, logits.shape[1])
    enough = shortlist.keep_highest(found.logits, counts) > found.floor
    groups: dict[tuple[int, Steps], list[int]] = {}
    sizes, late = found.sizes.tolist(), []
    for row, (draft, is_enough) in enumerate(zip(drafts, enough.ravel().tolist(), strict=True)):
        if is_enough:
            width = min(samplers.room(sizes[row]), found.logits.shape[1])
            groups.setdefault((width, draft.behind), []).append(row)
        else:
            late.append(numbers[row])
            draft.look_further()
    return [_rows(numbers, drafts, found, rows, *kind) for kind, rows in groups.items()], late


def _rows(
    numbers: list[int], drafts: list[Draft], found: shortlist.Shortlist, rows: list[int], width: int, steps: Steps
) -> _Rows:
    at = slice(len(drafts)) if len(rows) == len(drafts) else rows
    few, tokens = found.logits[at, :width], found.tokens[at, :width]
    return _Rows([numbers[row] for row in rows], [drafts[row] for row in rows], few, steps, tokens)


def _lower(found: shortlist.Shortlist, drafts: list[Draft], width: int) -> None:
    """Penalise candidates that were seen and rule out banned ones."""
    seen = np.zeros(found.logits.shape, np.bool_)
    for row, (draft, size) in enumerate(zip(drafts, found.sizes.tolist(), strict=True)):
        if draft.penalised and draft.strength is None:
            _penalise(found.logits[row], draft.history.where(found.tokens[row, :size]), draft)
        elif draft.penalised:
            draft.history.seen(width).take(found.tokens[row], out=seen[row])
        for token in draft.banned:
            found.logits[row, :size][found.tokens[row, :size] == token] = -np.inf
    at = np.flatnonzero(seen)
    strengths = np.array([draft.strength or 1.0 for draft in drafts])
    line = found.logits.reshape(-1)
    line[at] = penalties.weakened(line[at], strengths[at // found.logits.shape[1]])


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
        job = row.drafts[0].job
        alike = row.steps, row.logits.shape[1], job.temperature > 0, job.mirostat_tau > 0
        key = row.numbers if row.tokens is None else alike
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
    logits, drafts = rows.logits, rows.drafts
    for step in rows.steps:
        logits = _apply(logits, drafts, step)
    columns = _draw(logits, drafts) if drafts[0].job.temperature > 0 else logits.argmax(axis=1)
    tokens = columns if rows.tokens is None else rows.tokens[np.arange(len(columns)), columns]
    chosen: list[int] = tokens.tolist()
    return chosen


def _points(drafts: list[Draft]) -> NDArray[np.float64]:
    """Where each text's dice fell."""
    return np.array([draft.throw() for draft in drafts])


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
    columns = samplers.draw(chances, _points(drafts))
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


def _penalise(row: NDArray[np.float64], seen: NDArray[np.int64], draft: Draft) -> None:
    """`seen`: where in the row the text's tokens are; -1: nowhere."""
    job = draft.job
    if job.rep_pen != 1.0:
        penalties.repetition(row, seen, job)
    if job.presence_penalty or job.frequency_penalty:
        penalties.presence_and_frequency(row, seen[draft.prompt :], job)
    if job.dry_multiplier > 0:
        penalties.dont_repeat(row, seen, draft.breakers, job)
