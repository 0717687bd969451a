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
    weights: Probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


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
    return _keep_first(logits, chances, -chances, share)


def keep_typical(logits: Logits, share: Column) -> Logits:
    """The tokens of this share whose surprise is nearest to the expected one (Meister et al. 2022)."""
    chances = softmax(logits)
    surprise = -_log(chances)
    expected = (chances * np.where(chances > 0, surprise, 0.0)).sum(axis=1, keepdims=True)
    return _keep_first(logits, chances, np.abs(surprise - expected), share)


def keep_tail_free(logits: Logits, share: Column) -> Logits:
    """Cut where the curve of sorted probabilities has bent for this share of its whole bend (Phénix and Egan 2019)."""
    if logits.shape[1] < 3:
        return logits
    chances = softmax(logits)
    order = np.argsort(-chances, axis=1, kind="stable")
    ranked = np.take_along_axis(chances, order, axis=1)
    bend = np.abs(np.diff(ranked, n=2, axis=1))
    whole = bend.sum(axis=1, keepdims=True)
    reached = np.cumsum(bend, axis=1) / np.where(whole > 0, whole, 1.0)
    kept = np.zeros(logits.shape, bool)
    kept[:, 0] = True
    kept[:, 1:-1] = reached <= share
    return _keep(logits, _unsorted(kept, order))


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
    entropy = -(chances * np.where(chances > 0, _log(chances), 0.0)).sum(axis=1, keepdims=True)
    choices = np.isfinite(logits).sum(axis=1, keepdims=True)
    disorder = np.clip(entropy / np.log(np.maximum(choices, 2)), 0.0, 1.0)
    low = np.maximum(temperature - spread, 0.0)
    moved = low + (temperature + spread - low) * disorder**exponent
    tempered: Logits = logits / np.maximum(np.where(spread > 0, moved, temperature), COLDEST)
    return tempered


def draw(chances: Probabilities, points: NDArray[np.float64]) -> NDArray[np.int64]:
    """For each row the token at its point, 0 <= point < 1, when all are laid side by side."""
    edges = np.cumsum(chances, axis=1)
    return np.array(
        [np.searchsorted(row, at * row[-1], side="right") for row, at in zip(edges, points, strict=True)], np.int64
    )


def _smoothed(logits: Logits, factor: Column) -> Logits:
    top = logits.max(axis=1, keepdims=True)
    there = np.isfinite(logits)
    distance = np.where(there, logits, top) - top
    return _keep(top - factor * distance**2, there)


def _keep(logits: Logits, kept: NDArray[np.bool_]) -> Logits:
    return np.where(kept, logits, -np.inf)


def _keep_first(logits: Logits, chances: Probabilities, rank: NDArray[np.float64], share: Column) -> Logits:
    """The fewest tokens in the order of `rank` that have `share` together."""
    order = np.argsort(rank, axis=1, kind="stable")
    ranked = np.take_along_axis(chances, order, axis=1)
    before = np.cumsum(ranked, axis=1) - ranked
    kept = before < share
    kept[:, 0] = True
    return _keep(logits, _unsorted(kept, order))


def _unsorted(kept: NDArray[np.bool_], order: NDArray[np.int64]) -> NDArray[np.bool_]:
    placed = np.empty_like(kept)
    np.put_along_axis(placed, order, kept, axis=1)
    return placed


def _log(chances: Probabilities) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        logs: NDArray[np.float64] = np.log(chances)
    return logs
