"""Each sampler against a plain reading of its definition, one row and one token at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hordenode.engine.jobs import UnsupportedJob
from hordenode.engine.text import penalties, samplers
from hordenode.engine.text.draft import check
from hordenode.engine.text.formatting import tidy
from hordenode.engine.text.sampling import pick
from tests.unit.engine.drafts import EVERYTHING, JOB, SIZE, draft

LOGITS = np.random.default_rng(3).normal(0, 2.5, (6, SIZE))


def chances_of(row: Any) -> list[float]:
    weights = [math.exp(value - max(row)) for value in row]
    return [weight / sum(weights) for weight in weights]


def first_of(ranked: list[int], chances: list[float], share: float) -> set[int]:
    kept: set[int] = set()
    for token in ranked:
        if kept and sum(chances[each] for each in kept) >= share:
            break
        kept.add(token)
    return kept


def top_k(row: Any, count: float) -> set[int]:
    return set(sorted(range(len(row)), key=lambda token: -row[token])[: int(count)])


def top_a(row: Any, share: float) -> set[int]:
    chances = chances_of(row)
    return {token for token, chance in enumerate(chances) if chance >= share * max(chances) ** 2}


def min_p(row: Any, share: float) -> set[int]:
    chances = chances_of(row)
    return {token for token, chance in enumerate(chances) if chance >= share * max(chances)}


def top_p(row: Any, share: float) -> set[int]:
    chances = chances_of(row)
    return first_of(sorted(range(len(row)), key=lambda token: -chances[token]), chances, share)


def typical(row: Any, share: float) -> set[int]:
    chances = chances_of(row)
    entropy = -sum(chance * math.log(chance) for chance in chances)
    ranked = sorted(range(len(row)), key=lambda token: abs(-math.log(chances[token]) - entropy))
    return first_of(ranked, chances, share)


def tail_free(row: Any, share: float) -> set[int]:
    chances = chances_of(row)
    ranked = sorted(range(len(row)), key=lambda token: -chances[token])
    slopes = [chances[ranked[at + 1]] - chances[ranked[at]] for at in range(len(row) - 1)]
    bends = [abs(slopes[at + 1] - slopes[at]) for at in range(len(slopes) - 1)]
    kept, reached = {ranked[0]}, 0.0
    for token, bend in zip(ranked[1:], bends, strict=False):
        reached += bend / sum(bends)
        if reached <= share:
            kept.add(token)
    return kept


def unsurprising(row: Any, most: float) -> set[int]:
    chances = chances_of(row)
    likeliest = chances.index(max(chances))
    return {likeliest} | {token for token, chance in enumerate(chances) if -math.log2(chance) <= most}


def without_top(row: Any, threshold: float) -> set[int]:
    chances = chances_of(row)
    top = sorted(
        (token for token, chance in enumerate(chances) if chance >= threshold), key=lambda token: chances[token]
    )
    return set(range(len(row))) - set(top[1:])


@pytest.mark.parametrize(
    ("sampler", "plain", "values"),
    [
        (samplers.keep_top_k, top_k, (1, 2, 5, 17, 40, 200)),
        (samplers.keep_top_a, top_a, (0.01, 0.1, 0.2, 0.5, 0.9, 1.0)),
        (samplers.keep_min_p, min_p, (0.01, 0.05, 0.1, 0.3, 0.9, 1.0)),
        (samplers.keep_top_p, top_p, (0.001, 0.1, 0.5, 0.8, 0.95, 0.999)),
        (samplers.keep_typical, typical, (0.01, 0.1, 0.4, 0.7, 0.9, 0.99)),
        (samplers.keep_unsurprising, unsurprising, (0.5, 1.0, 2.0, 3.0, 5.0, 9.0)),
        (samplers.exclude_top, without_top, (0.001, 0.01, 0.05, 0.1, 0.2, 0.5)),
        (samplers.keep_tail_free, tail_free, (0.01, 0.2, 0.5, 0.8, 0.95, 0.99)),
    ],
)
def test_a_filter_keeps_what_its_definition_keeps(
    sampler: Callable[..., Any], plain: Callable[[Any, float], set[int]], values: tuple[float, ...]
) -> None:
    kept = sampler(LOGITS.copy(), np.array(values, np.float64)[:, None])
    for row, before, value in zip(kept, LOGITS, values, strict=True):
        assert set(np.flatnonzero(np.isfinite(row)).tolist()) == plain(before, value)
        single = sampler(before[None], np.array([[value]]))[0]
        np.testing.assert_array_equal(row, single)


def test_the_temperature_moves_with_the_entropy() -> None:
    """What is certain is divided by the lowest, what is even by the highest, anything else by what lies between."""
    row = LOGITS[0]
    chances = chances_of(row)
    disorder = -sum(chance * math.log(chance) for chance in chances) / math.log(SIZE)
    columns = [np.array([[value]]) for value in (1.0, 0.6, 1.5, 0.0)]
    made = samplers.temper(row[None], *columns)[0]
    np.testing.assert_allclose(made, row / (0.4 + 1.2 * disorder**1.5), rtol=1e-9)
    even = samplers.temper(np.ones((1, SIZE)), *columns)[0]
    np.testing.assert_allclose(even, 1 / 1.6)


def test_smoothing_squares_the_distance_to_the_likeliest() -> None:
    columns = [np.array([[value]]) for value in (2.0, 0.0, 1.0, 0.3)]
    top = LOGITS[1].max()
    expected = [(top - 0.3 * (value - top) ** 2) / 2 for value in LOGITS[1]]
    np.testing.assert_allclose(samplers.temper(LOGITS[1][None], *columns)[0], expected, rtol=1e-12)


def changed(penalty: Callable[..., None], row: Any, tokens: list[int], *rest: Any) -> Any:
    made = row.copy()
    penalty(made, np.array(tokens), *rest)
    return made


@pytest.mark.parametrize(("window", "slope"), [(0, 0.0), (4, 0.0), (6, 0.7), (100, 3.0)])
def test_repetition_is_punished_by_how_recent_it_is(window: int, slope: float) -> None:
    row, seen = LOGITS[2], [3, 5, 3, 9, 12, 5, 7, 9]
    job = replace(JOB, rep_pen=1.7, rep_pen_range=window, rep_pen_slope=slope)
    expected = row.copy()
    looked = seen[-window:] if window else seen
    for token in set(looked):
        age = looked[::-1].index(token)
        penalty = 1.7
        if slope and window > 1:
            x = 1 - 2 * age / (window - 1)
            penalty = 1 + 0.7 * (1 + slope * x / (1 + abs(x) * (slope - 1))) / 2
        expected[token] = row[token] / penalty if row[token] > 0 else row[token] * penalty
    np.testing.assert_allclose(changed(penalties.repetition, row, seen, job), expected, rtol=1e-12)


def test_presence_and_frequency_count_what_was_written() -> None:
    job = replace(JOB, presence_penalty=0.5, frequency_penalty=0.25)
    expected = LOGITS[2].copy()
    expected[4] -= 0.5 + 3 * 0.25
    expected[8] -= 0.5 + 0.25
    np.testing.assert_allclose(changed(penalties.presence_and_frequency, LOGITS[2], [4, 8, 4, 4], job), expected)


def test_dry_looks_for_what_would_go_on_as_before() -> None:
    """The ending 1 2 3 stood there before 4, and 3 alone before 9; a breaker makes the first a match of two."""
    tokens = [1, 2, 3, 4, 7, 3, 9, 1, 2, 3]
    job = replace(JOB, dry_multiplier=0.8, dry_base=2.0, dry_allowed_length=1)
    expected = LOGITS[3].copy()
    expected[4] -= 0.8 * 2.0**2
    expected[9] -= 0.8
    np.testing.assert_allclose(changed(penalties.dont_repeat, LOGITS[3], tokens, frozenset(), job), expected)
    expected[4] += 0.8 * 2.0
    np.testing.assert_allclose(changed(penalties.dont_repeat, LOGITS[3], tokens, frozenset({1}), job), expected)


def test_mirostat_steers_to_its_surprise() -> None:
    """The mean surprise of what was written comes near to tau, from flat logits and from steep ones."""
    for scale in (1.0, 2.0):
        row = (np.random.default_rng(8).normal(0, scale, (1, 400))).astype(np.float32)
        chances = chances_of(row[0].astype(np.float64))
        text = draft(4, mirostat_tau=4.0, mirostat_eta=0.1)
        written = [pick(row, [text])[0] for _ in range(600)]
        kept = unsurprising(row[0].astype(np.float64), text.surprise)
        whole = sum(chances[token] for token in kept)
        mean = sum(-math.log2(chances[token] / whole) for token in written[200:]) / 400
        assert abs(mean - 4.0) < 0.35


def test_top_choices_go_as_often_as_asked() -> None:
    row = np.log(np.array([[0.5, 0.3, 0.2]])).astype(np.float32)
    always = {pick(row, [draft(seed, xtc_probability=1.0, xtc_threshold=0.25)])[0] for seed in range(80)}
    assert always == {1, 2}
    many = pick(
        np.repeat(row, 4000, axis=0), [draft(seed, xtc_probability=0.5, xtc_threshold=0.25) for seed in range(4000)]
    )
    assert abs(many.count(0) / 4000 - 0.25) < 0.03


def test_a_row_of_a_batch_is_what_it_is_alone() -> None:
    logits = np.random.default_rng(1).normal(0, 2, (60, SIZE)).astype(np.float32)
    options = [EVERYTHING[at % len(EVERYTHING)] for at in range(len(logits))]
    together = pick(logits, [draft(at, **each) for at, each in enumerate(options)])
    alone = [pick(logits[at : at + 1], [draft(at, **each)])[0] for at, each in enumerate(options)]
    assert together == alone


def test_any_token_of_many_comes_as_often_as_it_is_likely() -> None:
    """At its temperature, and none that is banned, however likely."""
    width = samplers.WIDE + 100
    row = np.random.default_rng(2).normal(0, 1, width).astype(np.float32)
    row[[7, width - 1, 3]] = 9.0, 9.5, 200.0
    one = replace(draft(0, temperature=1.5), banned=(3,))
    assert one.open
    counts = np.bincount([pick(row[None], [one])[0] for _ in range(4000)], minlength=width)
    weights = np.exp(np.where(np.arange(width) == 3, -np.inf, row.astype(np.float64)) / 1.5)
    expected = 4000 * weights / weights.sum()
    assert counts[3] == 0
    for few in ([7], [width - 1], np.flatnonzero(row < 0), np.flatnonzero((row > 0) & (row < 5))):
        assert abs(counts[few].sum() - expected[few].sum()) < 5 * expected[few].sum() ** 0.5


def test_the_order_counts() -> None:
    """Heat before the nucleus lets more in than after it."""
    row = np.array([[4.0, 3.0, 0.0, -1.0]], np.float32)
    counts = {}
    for order in ((5, 2, 0, 1, 3, 4, 6), (2, 5, 0, 1, 3, 4, 6)):
        settings: dict[str, Any] = {"temperature": 5.0, "top_p": 0.7, "sampler_order": order}
        counts[order[0]] = {pick(row, [draft(seed, **settings)])[0] for seed in range(60)}
    assert counts[2] == {0}
    assert counts[5] > {0, 1}


def test_drawn_as_often_as_likely() -> None:
    row = np.log(np.array([[0.5, 0.3, 0.2]])).astype(np.float32)
    many = pick(np.repeat(row, 6000, axis=0), [draft(seed) for seed in range(6000)])
    shares = np.bincount(many, minlength=3) / len(many)
    np.testing.assert_allclose(shares, [0.5, 0.3, 0.2], atol=0.03)


@pytest.mark.parametrize(("temperature", "xtc"), [(1.0, 0.0), (0.5, 0.0), (3.0, 0.0), (0.001, 0.0), (0.5, 1e-9)])
def test_a_nucleus_is_drawn_from_as_often_as_its_tokens_are_likely(temperature: float, xtc: float) -> None:
    """At the temperature that comes behind it, whether or not something comes between."""
    chances = np.array([0.02, 0.4, 0.08, 0.3, 0.2])
    settings: dict[str, Any] = {"top_p": 0.85, "temperature": temperature, "xtc_probability": xtc}
    row = np.repeat(np.log(chances)[None], 4000, axis=0).astype(np.float32)
    counts = np.bincount(pick(row, [draft(seed, **settings) for seed in range(4000)]), minlength=5)
    weights = np.where(chances >= 0.2, chances / chances.max(), 0.0) ** (1 / temperature)
    np.testing.assert_allclose(counts / 4000, weights / weights.sum(), atol=0.03)
    assert not counts[[0, 2]].any()


def test_bias_and_ban() -> None:
    row = np.array([[1.0, 2.0, 3.0]], np.float32)
    settings: dict[str, Any] = {"temperature": 0.0}
    assert pick(row, [draft(0, **settings)]) == [2]
    assert pick(row, [draft(0, logit_bias=((0, 5.0),), **settings)]) == [0]
    assert pick(row, [replace(draft(0, **settings), banned=(2,))]) == [1]


@pytest.mark.parametrize("change", [{"temperature": -1.0}, {"rep_pen": 0.0}, {"top_a": float("nan")}])
def test_settings_that_mean_nothing_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedJob, match=next(iter(change))):
        check(replace(JOB, **change))


@pytest.mark.parametrize(
    ("flag", "text", "expected"),
    [
        ("frmtrmblln", "a\n\n\nb\nc", "a\nb\nc"),
        ("frmtrmspch", "a #b/ {c} <d>", "a b c d"),
        ("frmttriminc", 'She left. "Why?" he said and', 'She left. "Why?"'),
        ("frmttriminc", "no end in sight", "no end in sight"),
        ("singleline", "one\ntwo", "one"),
        ("frmtadsnsp", "as it is", "as it is"),
    ],
)
def test_formatting_flags(flag: str, text: str, expected: str) -> None:
    settings: dict[str, Any] = {flag: True}
    assert tidy(text, replace(JOB, **settings)) == expected
    assert tidy(text, JOB) == text
