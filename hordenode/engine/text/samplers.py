"""The filters that a sampler order is made of: over a batch, logits [rows, vocabulary] in and out.

A setting is a column [rows, 1], so that each row has its own. What is ruled out has the logit -inf. No row looks at
another, and each is computed in the same order whatever the batch: a row's result is the same as alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float64]
Probabilities = NDArray[np.float64]
Column = NDArray[np.float64]

COLDEST = 1e-6  # a range as wide as the temperature would divide by 0


def softmax(logits: Logits) -> Probabilities:
    """Probabilities in double precision, so that their sum is one wherever they are drawn."""
    weights = weigh(logits)
    weights /= _total(weights)
    return weights


def weigh(logits: Logits) -> Probabilities:
    """Probabilities times an unknown factor."""
    weights: Probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights


def compact(logits: Logits) -> tuple[Logits, NDArray[np.int64]] | None:
    """The columns that are still in, and which tokens they are; None where it is not worth while.

    Two columns at least are out at the end of each row, as keep_tail_free sees where the likely ones end.
    """
    there = logits > -np.inf
    counts = there.sum(axis=1)
    width = int(counts.max()) + 2
    if width * 4 > logits.shape[1]:
        return None
    values = np.full((len(logits), width), -np.inf)
    tokens = np.zeros((len(logits), width), np.int64)
    for row, count in enumerate(counts):
        tokens[row, :count] = np.flatnonzero(there[row])
        values[row, :count] = logits[row, tokens[row, :count]]
    return values, tokens


def keep_top_k(logits: Logits, count: Column) -> Logits:
    """Rule out all but the `count` likeliest tokens, and those just as likely as the last of them."""
    size = logits.shape[1]
    places = size - np.minimum(count.astype(np.int64), size)
    ranked = np.partition(logits, np.unique(places), axis=1)
    return _keep(logits, logits >= np.take_along_axis(ranked, places, axis=1))


def keep_top_a(logits: Logits, share: Column) -> Logits:
    """Tokens with at least `share` times the square of the likeliest one's probability (KoboldAI's definition)."""
    chances = softmax(logits)
    return _keep(logits, chances >= share * chances.max(axis=1, keepdims=True) ** 2)


def keep_min_p(logits: Logits, share: Column) -> Logits:
    """Tokens with at least this share of the likeliest one's probability (Nguyen et al. 2024)."""
    chances = softmax(logits)
    return _keep(logits, chances >= share * chances.max(axis=1, keepdims=True))


def keep_top_p(logits: Logits, share: Column) -> Logits:
    """The fewest likeliest tokens that together have this share (Holtzman et al. 2020)."""
    chances = softmax(logits)
    # All that are less likely than this have less than 1 - share together: they need not be sorted.
    counts = (chances > (1.0 - share) / logits.shape[1]).sum(axis=1)
    return _keep_first(logits, chances, -chances, share, max(1, int(counts.max())))


def keep_typical(logits: Logits, share: Column) -> Logits:
    """The tokens of this share whose surprise is nearest to the expected one (Meister et al. 2022)."""
    chances = softmax(logits)
    surprise = -_log(chances)
    expected = _total(chances * np.where(chances > 0, surprise, 0.0))
    return _keep_first(logits, chances, np.abs(surprise - expected), share, logits.shape[1])


def keep_tail_free(logits: Logits, share: Column) -> Logits:
    """Cut where the curve of sorted probabilities has bent for this share of its whole bend (Phénix and Egan 2019)."""
    if logits.shape[1] < 3:
        return logits
    chances = softmax(logits)
    order = np.argsort(-chances, axis=1, kind="stable")
    ranked = np.take_along_axis(chances, order, axis=1)
    bend = np.abs(np.diff(ranked, n=2, axis=1))
    whole = _total(bend)
    reached = np.cumsum(bend, axis=1) / np.where(whole > 0, whole, 1.0)
    kept = np.zeros(logits.shape, bool)
    kept[:, 0] = True
    kept[:, 1:-1] = reached <= share
    return _keep(logits, _unsorted(kept, order, logits.shape[1]))


def keep_unsurprising(logits: Logits, most: Column) -> Logits:
    """Tokens of at most so many bits of surprise, and the likeliest (mirostat 2, Basu et al. 2021)."""
    chances = softmax(logits)
    likeliest = chances == chances.max(axis=1, keepdims=True)
    return _keep(logits, (-_log(chances) / np.log(2) <= most) | likeliest)


def exclude_top(logits: Logits, threshold: Column) -> Logits:
    """Of the tokens that are at least so likely only the least likely one (XTC, "exclude top choices", 2024)."""
    chances = softmax(logits)
    top = chances >= threshold
    least = np.where(top, chances, np.inf).min(axis=1, keepdims=True)
    return _keep(logits, ~top | (chances == least))


def temper(logits: Logits, temperature: Column, spread: Column, exponent: Column, smoothing: Column) -> Logits:
    """Divide by the temperature.

    `spread`: it moves within so much of its value with the entropy, to the power of `exponent`. `smoothing`: first the
    distance to the likeliest becomes this factor times its square.
    """
    if smoothing.any():
        logits = np.where(smoothing > 0, _smoothed(logits, smoothing), logits)
    if not spread.any():
        return logits / temperature
    chances = softmax(logits)
    entropy = -_total(chances * np.where(chances > 0, _log(chances), 0.0))
    choices = np.isfinite(logits).sum(axis=1, keepdims=True)
    disorder = np.clip(entropy / np.log(np.maximum(choices, 2)), 0.0, 1.0)
    low = np.maximum(temperature - spread, 0.0)
    moved = low + (temperature + spread - low) * disorder**exponent
    tempered: Logits = logits / np.maximum(np.where(spread > 0, moved, temperature), COLDEST)
    return tempered


def draw(weights: Probabilities, points: NDArray[np.float64]) -> NDArray[np.int64]:
    """For each row the token at its point, 0 <= point < 1, when all are laid side by side."""
    edges = np.cumsum(weights, axis=1)
    return np.array(
        [np.searchsorted(row, at * row[-1], side="right") for row, at in zip(edges, points, strict=True)], np.int64
    )


def _total(values: NDArray[np.float64]) -> Column:
    """The sum of each row, one by one from the left: what is out adds nothing, whether its column is there or not."""
    return np.cumsum(values, axis=1)[:, -1:]


def _smoothed(logits: Logits, factor: Column) -> Logits:
    top = logits.max(axis=1, keepdims=True)
    there = np.isfinite(logits)
    distance = np.where(there, logits, top) - top
    return _keep(top - factor * distance**2, there)


def _keep(logits: Logits, kept: NDArray[np.bool_]) -> Logits:
    return np.where(kept, logits, -np.inf)


def _keep_first(logits: Logits, chances: Probabilities, rank: NDArray[np.float64], share: Column, most: int) -> Logits:
    """The fewest tokens in the order of `rank` that have `share` together; they are among the first `most`."""
    order = _first(rank, most)
    ranked = np.take_along_axis(chances, order, axis=1)
    before = np.cumsum(ranked, axis=1) - ranked
    kept = before < share
    kept[:, 0] = True
    return _keep(logits, _unsorted(kept, order, logits.shape[1]))


def _first(rank: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Columns of the `most` lowest in order; of equals the one on the left first."""
    if most >= rank.shape[1]:
        return np.argsort(rank, axis=1, kind="stable")
    part = np.sort(np.argpartition(rank, most - 1, axis=1)[:, :most], axis=1)
    order = np.argsort(np.take_along_axis(rank, part, axis=1), axis=1, kind="stable")
    return np.take_along_axis(part, order, axis=1)


def _unsorted(kept: NDArray[np.bool_], order: NDArray[np.int64], width: int) -> NDArray[np.bool_]:
    placed = np.zeros((len(kept), width), bool)
    np.put_along_axis(placed, order, kept, axis=1)
    return placed


def _log(chances: Probabilities) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        logs: NDArray[np.float64] = np.log(chances)
    return logs
