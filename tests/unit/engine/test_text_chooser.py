"""What the small graph chooses is what numpy chooses, whoever else is in the batch and whatever came before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hordenode.config import EngineSettings
from hordenode.engine.runtime import Runtime
from hordenode.engine.seeds import seeded
from hordenode.engine.text import samplers
from hordenode.engine.text.chooser import Chooser
from hordenode.engine.text.draft import Draft
from hordenode.engine.text.last_token import MOST, SPAN
from hordenode.engine.text.sampling import pick
from hordenode.engine.text.shortlist import Highest
from tests.unit.engine.drafts import JOB

WIDTH = 2 * MOST * SPAN

PLAIN: list[dict[str, Any]] = [
    {"top_k": 40, "top_p": 0.9, "rep_pen": 1.1, "temperature": 0.7},
    {"top_k": 40, "top_p": 0.5, "rep_pen": 1.6},
    {"top_k": 3},
    {"top_k": 1, "temperature": 2.0},
    {"top_k": 60, "top_p": 0.97, "temperature": 0.01},
    {"top_k": 12, "rep_pen": 4.0, "temperature": 3.0},
    {"top_k": 20, "top_p": 0.0, "rep_pen": 1.2},
    {"top_k": 200, "top_p": 0.9},  # more than are told
]
OTHER: list[dict[str, Any]] = [
    {"top_k": 40, "top_p": 0.9, "xtc_probability": 0.5, "xtc_threshold": 0.1},
    {"top_k": 40, "top_p": 0.9, "min_p": 0.1},
    {"top_k": 40, "rep_pen": 1.2, "rep_pen_range": 2},
    {"mirostat_tau": 3.0},
    {"temperature": 0.0},
]


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    return Runtime(EngineSettings(threads=2, providers=("cpu",)))


def likeliest(logits: Any, few: int = 64) -> Highest:
    tokens = np.argsort(-logits, axis=1, kind="stable")[:, :few]
    return Highest(np.take_along_axis(logits, tokens, axis=1), tokens)


def text(seed: int, tokens: list[int], settings: dict[str, Any]) -> Draft:
    return Draft(replace(JOB, seed=seed, **settings), tokens, 2, seeded(seed))


@pytest.mark.parametrize("few", [64, 128])
def test_as_numpy_chooses_in_a_batch_and_alone(runtime: Runtime, few: int) -> None:
    """Step after step, with logits of which some are equal and tokens of which some were seen."""
    random, options = np.random.default_rng(3), PLAIN + OTHER
    begun = [random.integers(0, WIDTH, 5).tolist() for _ in options]
    ways: list[list[Draft]] = [
        [text(at, [*begun[at]], each) for at, each in enumerate(options)] for _ in ("numpy", "together", "alone")
    ]
    assert [draft.plain for draft in ways[0]] == [True] * len(PLAIN) + [False] * len(OTHER)
    together, single = Chooser(runtime), [Chooser(runtime) for _ in options]
    for step in range(120):
        logits = random.normal(0, 2, (len(options), WIDTH)).astype(np.float32).round(1 if step % 2 else 7)
        for row, draft in zip(logits, ways[0], strict=True):
            row[draft.tokens[-3:]] += 5  # what was seen is likely again
        told = likeliest(logits, few)
        tokens = pick(logits, ways[0], told)
        assert pick(logits, ways[1], told, together) == tokens
        alone = [
            pick(logits[[at]], [draft], Highest(told.logits[[at]], told.tokens[[at]]), single[at])[0]
            for at, draft in enumerate(ways[2])
        ]
        assert alone == tokens
        for drafts in ways:
            for draft, token in zip(drafts, tokens, strict=True):
                draft.tokens.append(token)


def test_texts_come_and_go(runtime: Runtime) -> None:
    """Each keeps what it has seen, wherever in the batch it is."""
    random, chooser = np.random.default_rng(4), Chooser(runtime)
    settings = {"top_k": 40, "rep_pen": 3.0}
    pairs = [[text(at, [at], settings) for _ in range(2)] for at in range(9)]
    row = np.zeros(WIDTH, np.float32)
    row[:60] = 10 + random.normal(0, 0.1, 60)
    for _ in range(60):
        here = random.permutation(len(pairs))[: random.integers(1, len(pairs))].tolist()
        logits = np.repeat(row[None], len(here), axis=0)
        expected = pick(logits, [pairs[at][0] for at in here], likeliest(logits))
        assert pick(logits, [pairs[at][1] for at in here], likeliest(logits), chooser) == expected
        for at, token in zip(here, expected, strict=True):
            for draft in pairs[at]:
                draft.tokens.append(token)
    assert len({tuple(draft.tokens) for draft, _ in pairs}) == len(pairs)


def test_where_too_many_candidates_fell_all_are_looked_at_with_the_same_dice(runtime: Runtime) -> None:
    row = np.linspace(-1, -160, WIDTH, dtype=np.float32)[None]
    chooser, settings = Chooser(runtime), {"top_k": 40, "rep_pen": 50.0}
    for seed in range(20):
        few, all_of_them = (text(seed, list(range(80)), settings) for _ in range(2))
        all_of_them.short = all_of_them.plain = False
        for _ in range(3):
            token = pick(row, [few], likeliest(row), chooser)
            assert token == pick(row, [all_of_them]) and token[0] >= 80
        assert few.random.random() == all_of_them.random.random()


def test_no_numbers_are_no_token(runtime: Runtime) -> None:
    logits = np.random.default_rng(5).normal(0, 2, (3, WIDTH)).astype(np.float32)
    logits[1] = np.nan
    tokens = pick(logits, [text(at, [1], PLAIN[0]) for at in range(3)], likeliest(logits), Chooser(runtime))
    assert [token >= 0 for token in tokens] == [True, False, True]


@pytest.mark.parametrize("settings", [{"top_k": 8, "top_p": 0.5}, {"top_k": 8, "top_p": 0.25, "temperature": 3.0}])
def test_a_nucleus_ends_where_its_share_is_reached(runtime: Runtime, settings: dict[str, Any]) -> None:
    """Of equal tokens the left ones are in it, and no more than it takes."""
    row = np.full((1, WIDTH), -9.0, np.float32)
    row[0, [900, 7, 70, 8000, 20, 300, 4, 5000]] = 2.0
    chooser, expected = Chooser(runtime), [4, 7, 20, 70][: round(8 * settings["top_p"])]
    tokens = {pick(row, [text(seed, [1], settings)], likeliest(row), chooser)[0] for seed in range(80)}
    assert sorted(tokens) == expected


def test_tokens_as_likely_as_the_last_that_is_told_are_looked_for(runtime: Runtime) -> None:
    row = np.zeros((1, WIDTH), np.float32)
    one = text(0, [1], {"top_k": 40})
    assert pick(row, [one], likeliest(row), Chooser(runtime)) == pick(row, [text(0, [1], {"top_k": 40})])
    assert one.spare > 8


OPEN: list[dict[str, Any]] = [{}, {"temperature": 0.4}, {"temperature": 5.0}, {"temperature": 0.001}]


@pytest.mark.parametrize("width", [samplers.WIDE, WIDTH, 151 * SPAN])
def test_any_token_is_drawn_where_the_dice_fell(runtime: Runtime, width: int) -> None:
    """All side by side, each as wide as it is likely; a banned one has no width, however likely it was."""
    random, chooser = np.random.default_rng(width), Chooser(runtime)
    for step in range(40):
        logits = random.normal(0, 3, (len(OPEN) + 1, width)).astype(np.float32)
        logits[:, 5] = 300.0 if step % 2 else 9.0
        drafts = [text(at, [1], each) for at, each in enumerate([*OPEN, {}])]
        drafts = [replace(each, banned=(0, 5, width - 1)) if step % 4 > 1 else each for each in drafts]
        points = [0.0, *random.random(len(OPEN) - 1).tolist(), 1 - 2**-53]
        for draft, point in zip(drafts, points, strict=True):
            assert draft.open
            draft.put_back(point)
        tokens = pick(logits, drafts, likeliest(logits) if step % 3 else None, chooser)
        for draft, token, point, row in zip(drafts, tokens, points, logits, strict=True):
            left = row.astype(np.float64)
            left[list(draft.banned)] = -np.inf
            weights = np.exp((left - left.max()) / draft.job.temperature)
            edges = np.append(0, weights.cumsum() / weights.sum())
            assert edges[token] - 1e-5 <= point <= edges[token + 1] + 1e-5 and weights[token] > 0


def test_any_token_is_drawn_in_a_batch_as_alone(runtime: Runtime) -> None:
    """And beside others that choose among a few, and that come and go."""
    random, options = np.random.default_rng(8), OPEN + PLAIN + OTHER
    together, single = ([text(at, [at], each) for at, each in enumerate(options)] for _ in range(2))
    chooser, choosers = Chooser(runtime), [Chooser(runtime) for _ in options]
    for _ in range(60):
        logits = random.normal(0, 2, (len(options), WIDTH)).astype(np.float32)
        here = random.permutation(len(options))[: random.integers(1, len(options))].tolist()
        told = likeliest(logits[here])
        tokens = pick(logits[here], [together[at] for at in here], told, chooser)
        for row, at in enumerate(here):
            own = Highest(told.logits[[row]], told.tokens[[row]])
            assert pick(logits[[at]], [single[at]], own, choosers[at]) == [tokens[row]]
            together[at].tokens.append(tokens[row])
            single[at].tokens.append(tokens[row])
