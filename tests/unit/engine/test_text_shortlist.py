"""Of a wide vocabulary a few candidates are looked at, and what is chosen is what would be chosen of all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hordenode.engine.seeds import seeded
from hordenode.engine.text import samplers
from hordenode.engine.text.draft import Draft
from hordenode.engine.text.last_token import MOST, SPAN, known
from hordenode.engine.text.sampling import NOTHING, pick
from hordenode.engine.text.shortlist import Highest
from tests.unit.engine.drafts import EVERYTHING, JOB, draft


def highest(logits: Any) -> Highest | None:
    """As a graph tells them; None where it does not."""
    tokens = np.argsort(-logits, axis=1, kind="stable")[:, : known(logits.shape[1])]
    return Highest(np.take_along_axis(logits, tokens, axis=1), tokens) if tokens.size else None


def test_a_row_of_a_wide_batch_is_what_it_is_alone() -> None:
    """Where rows of one kind are looked at together: others between them change nothing."""
    width = 2 * MOST * SPAN
    logits = np.random.default_rng(1).normal(0, 2, (30, width)).astype(np.float32)
    options = [
        *({"top_k": 40, "top_p": 0.9, "rep_pen": 1.1}, {}, {"temperature": 0.6}, *EVERYTHING),
        *({"top_k": 7, "min_p": 0.1}, {"top_k": 60, "rep_pen": 1.3, "rep_pen_range": 2, "tfs": 0.9}),
    ]

    def drafts() -> list[Draft]:
        made = [draft(at, **options[at % len(options)]) for at in range(len(logits))]
        return [replace(each, banned=(at, 2)) if at % 2 else each for at, each in enumerate(made)]

    told = highest(logits)
    assert told is not None
    before = logits.copy()
    for seen in (None, told):
        alone = [
            pick(logits[[at]], [each], None if seen is None else Highest(told.logits[[at]], told.tokens[[at]]))[0]
            for at, each in enumerate(drafts())
        ]
        assert pick(logits, drafts(), seen) == alone
        assert (logits == before).all()


@pytest.mark.parametrize(
    "settings",
    [
        {"top_k": 40},
        {"top_k": 40, "top_p": 0.9, "rep_pen": 1.1},
        {"top_k": 3, "rep_pen": 1.5, "rep_pen_range": 4, "rep_pen_slope": 2.0, "min_p": 0.1},
        {"top_k": 20, "rep_pen": 1.2, "sampler_order": (6, 0, 1, 2, 3, 4, 5)},
        {"top_k": 100, "presence_penalty": 1.5, "frequency_penalty": 0.7, "typical": 0.8},
    ],
)
@pytest.mark.parametrize("size", [5000, 6 * 1024, 2 * MOST * SPAN])
def test_a_few_candidates_are_as_good_as_all(settings: dict[str, Any], size: int) -> None:
    """Of a wide row, some of it equal, where what was seen and what is banned is among the likeliest."""
    random = np.random.default_rng(size)
    for seed in range(40):
        row = random.normal(0, 2, size).astype(np.float32).round(1)
        likely = np.argsort(-row)[:60].tolist()
        many = likely if seed % 4 == 3 else likely[seed % 7 :: 5]  # all candidates, or some of them
        tokens = [*many, 1, 1, *likely[:3], size - 1]
        drafts = [
            Draft(replace(JOB, temperature=0.8, seed=seed, **settings), tokens, 4, seeded(seed), tuple(likely[1:3]))
            for _ in range(3)
        ]
        assert drafts[1].short
        drafts[1].short = False
        for _ in range(5):
            before = row.copy()
            few, all_of_them = (pick(row[None], [one])[0] for one in drafts[:2])
            assert few == all_of_them and few not in likely[1:3]
            assert pick(row[None], drafts[2:], highest(row[None])) == [few]
            assert (row == before).all()
            tokens.append(few)


@pytest.mark.parametrize("change", [{"frequency_penalty": -2.0}, {"presence_penalty": -0.1}, {"rep_pen": 0.9}])
def test_what_may_raise_a_token_is_looked_for_among_all(change: dict[str, Any]) -> None:
    """One that was unlikely until now may become the likeliest."""
    row = np.zeros(samplers.WIDE, np.float32)
    row[:50] = 3.0
    row[99] = 2.9
    settings: dict[str, Any] = {"top_k": 1, "temperature": 0.01, **change}
    one = Draft(replace(JOB, **settings), [99] * 9, 0, seeded(0))
    assert not one.short
    assert pick(row[None], [one]) == [99]


def test_penalties_behind_top_k_reach_what_is_left() -> None:
    """In a wide row they need all tokens, as they go by their numbers."""
    row = -np.arange(samplers.WIDE, dtype=np.float32)
    row[[4000, 30]] = 9.0, 8.9
    settings: dict[str, Any] = {"top_k": 2, "temperature": 0.01, "rep_pen": 2.0, "sampler_order": (0, 1, 2, 3, 4, 5, 6)}
    for tokens, expected in (([30, 5], 4000), ([4000, 5], 30)):
        one = Draft(replace(JOB, **settings), tokens, 0, seeded(0))
        assert pick(row[None], [one]) == [expected]


def test_the_likeliest_is_known_before_all_are_looked_at() -> None:
    """Of equals the left one, and nothing in a row that is no numbers."""
    logits = np.random.default_rng(2).normal(0, 2, (7, samplers.WIDE)).astype(np.float32).round(1)
    logits[5, 3] = np.inf
    logits[6] = np.nan
    drafts = [draft(at, temperature=0.0, **({"rep_pen": 1.0} if at else {"top_k": 3})) for at in range(len(logits))]
    expected = [*logits[:5].argmax(axis=1).tolist(), NOTHING, NOTHING]
    assert pick(logits, drafts) == pick(logits, drafts, highest(logits)) == expected
    drafts[1] = draft(1, top_k=1)
    assert pick(logits, drafts) == pick(logits, drafts, highest(logits)) == expected


@pytest.mark.parametrize("top_k", [40, 100, 127])
def test_where_too_many_fell_all_are_looked_at(top_k: int) -> None:
    """And from then on at more of them, until it is enough."""
    row = np.linspace(-1, -1600, 2 * MOST * SPAN, dtype=np.float32)[None]
    one = Draft(replace(JOB, top_k=top_k, rep_pen=50.0), list(range(40)), 0, seeded(0), banned=tuple(range(40, 60)))
    told, spares = highest(row), [one.spare]
    assert told is not None
    for _ in range(6):
        (token,) = pick(row, [one], told)
        spares.append(one.spare)
        assert token >= 60
    assert spares[1] >= spares[0] and spares[-1] == spares[-2]
