"""The filters that a sampler order is made of: over a batch, logits [rows, width] in and out.

A setting is a column [rows, 1], so that each row has its own. What is ruled out has the logit -inf. No row looks at
another, and sums over a row depend on nothing but its width: a row's result is the same as alone. Rows as wide as a
vocabulary are never sorted as a whole where a few candidates will do: a step has 50,000 tokens and half a millisecond.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float64]
Probabilities = NDArray[np.float64]
Column = NDArray[np.float64]
Columns = NDArray[np.int64]

COLDEST = 1e-6  # a range as wide as the temperature would divide by 0
WIDE = 4096  # from here on it pays to look for candidates first
GROUPS = 1024  # of a wide row, whose best are compared to find a bound
FEW = (GROUPS // 8, GROUPS * 2)
NARROWEST = 64


def softmax(logits: Logits) -> Probabilities:
    """Probabilities in double precision, so that their sum is one wherever they are drawn."""
    weights = weigh(logits)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def weigh(logits: Logits) -> Probabilities:
    """Probabilities times an unknown factor."""
    weights: Probabilities = np.subtract(logits, logits.max(axis=1, keepdims=True))
    return np.exp(weights, out=weights)


def candidates(row: NDArray[np.floating], count: int) -> Columns:
    """Columns of one row [width] among which its `count` highest are, with all that are equal to the last of them.

    Of a narrow row these and no others.
    """
    if not _is_grouped(len(row), count):
        return _reaching(row, _bound(row, count)).nonzero()[0]
    whole = len(row) // GROUPS * GROUPS
    groups = row[:whole].reshape(-1, GROUPS)
    best = groups.max(axis=0)
    bound = _lowest(best, count)
    good = _reaching(best, bound).nonzero()[0]
    lines, places = np.divmod(_reaching(groups.take(good, axis=1), bound).ravel().nonzero()[0], len(good))
    found = lines * GROUPS + good[places]
    return found if whole == len(row) else np.append(found, whole + _reaching(row[whole:], bound).nonzero()[0])


def compact(row: Logits, columns: Columns) -> tuple[Logits, Columns] | None:
    """Some columns of one row [width], and which they are, both [1, width]; None where it is not worth while."""
    return padded(row, columns) if room(len(columns)) * 4 <= len(row) else None


def padded(row: Logits, columns: Columns) -> tuple[Logits, Columns]:
    """Some columns of one row, and which they are, both [1, width].

    The width is a power of two that the row alone decides. Two columns at least are out at the end, as
    keep_tail_free sees where the likely ones end.
    """
    width = room(len(columns))
    values = np.full((1, width), -np.inf)
    tokens = np.zeros((1, width), np.int64)
    tokens[0, : len(columns)] = columns
    values[0, : len(columns)] = row[columns]
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
    return _keep(logits, weigh(logits) >= share)


def keep_top_p(logits: Logits, share: Column) -> Logits:
    """The fewest likeliest tokens that together have this share (Holtzman et al. 2020)."""
    if logits.shape[1] < WIDE:
        return _keep(logits, nucleus(logits, share) > 0)
    chances = softmax(logits)
    return _keep_first(logits, chances, chances, share)


def nucleus(logits: Logits, share: Column) -> Probabilities:
    """What `keep_top_p` keeps, of a few: probabilities times what makes the highest 1, and 0 for the others."""
    weights = weigh(logits)
    ranked = weights.copy()
    ranked.sort(axis=1)
    ranked = ranked[:, ::-1]
    before = ranked.cumsum(axis=1)
    enough = share * before[:, -1:]
    before -= ranked
    count = np.maximum((before < enough).sum(axis=1, keepdims=True), 1)
    weights[~_best(weights, ranked[_lines(count), count - 1], count)] = 0.0
    return weights


def keep_typical(logits: Logits, share: Column) -> Logits:
    """The tokens of this share whose surprise is nearest to the expected one (Meister et al. 2022)."""
    chances, surprise = _surprise(logits)
    expected = _mean(surprise, chances)
    return _keep_first(logits, chances, -np.abs(surprise - expected), share)


def keep_tail_free(logits: Logits, share: Column) -> Logits:
    """Cut where the curve of sorted probabilities has bent for this share of its whole bend (Phénix and Egan 2019)."""
    if logits.shape[1] < 3:
        return logits
    chances = softmax(logits)
    ranked = np.sort(chances, axis=1)[:, ::-1]
    bend = np.abs(np.diff(ranked, n=2, axis=1))
    whole = bend.sum(axis=1, keepdims=True)
    reached = np.cumsum(bend, axis=1) / np.where(whole > 0, whole, 1.0)
    return _keep_best(logits, chances, 1 + (reached <= share).sum(axis=1, keepdims=True))


def keep_unsurprising(logits: Logits, most: Column) -> Logits:
    """Tokens of at most so many bits of surprise, and the likeliest (mirostat 2, Basu et al. 2021)."""
    chances = softmax(logits)
    likeliest = chances == chances.max(axis=1, keepdims=True)
    return _keep(logits, (chances >= np.exp2(-most)) | likeliest)


def exclude_top(logits: Logits, threshold: Column) -> Logits:
    """Of the tokens that are at least so likely only the least likely one (XTC, "exclude top choices", 2024)."""
    chances = softmax(logits)
    top = chances >= threshold
    least = np.where(top, chances, np.inf).min(axis=1, keepdims=True)
    return _keep(logits, ~top | (chances == least))


def cool(logits: Logits, temperature: Column) -> Logits:
    """Divide by the temperature."""
    return logits / temperature


def temper(logits: Logits, temperature: Column, spread: Column, exponent: Column, smoothing: Column) -> Logits:
    """As `cool`.

    `spread`: it moves within so much of its value with the entropy, to the power of `exponent`. `smoothing`: first the
    distance to the likeliest becomes this factor times its square.
    """
    if smoothing.any():
        logits = np.where(smoothing > 0, _smoothed(logits, smoothing), logits)
    if not spread.any():
        return logits / temperature
    chances, surprise = _surprise(logits)
    entropy = _mean(surprise, chances)
    choices = np.isfinite(logits).sum(axis=1, keepdims=True)
    disorder = np.clip(entropy / np.log(np.maximum(choices, 2)), 0.0, 1.0)
    low = np.maximum(temperature - spread, 0.0)
    moved = low + (temperature + spread - low) * disorder**exponent
    tempered: Logits = logits / np.maximum(np.where(spread > 0, moved, temperature), COLDEST)
    return tempered


def draw(weights: Probabilities, points: NDArray[np.float64]) -> NDArray[np.int64]:
    """For each row the token at its point, 0 <= point < 1, when all are laid side by side."""
    if weights.shape[1] < WIDE:
        return _find(weights, points)
    return np.array([_find_wide(row, at) for row, at in zip(weights, points, strict=True)], np.int64)


def draw_hot(row: NDArray[np.float32], temperature: float, point: float) -> int:
    """The token of one wide row of logits at this temperature that is at a point.

    In single precision: as it is a token that is wanted and no probability, no rounding matters that moves the edges
    between tokens by a millionth of their distance.
    """
    weights = np.subtract(row, row.max())
    weights /= np.float32(temperature)
    return _find_wide(np.exp(weights, out=weights), point)


def _find(weights: Probabilities, points: NDArray[np.float64]) -> NDArray[np.int64]:
    edges = weights.cumsum(axis=1)
    found: NDArray[np.int64] = (edges <= points[:, None] * edges[:, -1:]).sum(axis=1)
    for row, column in enumerate(found.tolist()):
        if column == weights.shape[1]:  # the product may be rounded up to the end
            found[row] = np.flatnonzero(weights[row])[-1]
    return found


def _find_wide(row: NDArray[np.floating], point: float) -> int:
    """Find first the stretch, then the token in it."""
    stretches = np.add.reduceat(row, _starts(len(row)))
    at, within = _place(stretches, point)
    start = at * GROUPS
    stretch = row[start : start + GROUPS]
    found = int(stretch.cumsum(dtype=np.float64).searchsorted(within, side="right"))
    return start + (found if found < len(stretch) else int(np.flatnonzero(stretch)[-1]))


@cache
def _starts(size: int) -> Columns:
    """Of the stretches of a wide row."""
    return np.arange(0, size, GROUPS)


def _place(weights: NDArray[np.floating], point: float) -> tuple[int, float]:
    """Which of some weights is at a point, and how far within it that is."""
    edges = weights.cumsum(dtype=np.float64)
    goal = point * float(edges[-1])
    at = int(edges.searchsorted(goal, side="right"))
    if at == len(edges):  # the product may be rounded up to the end
        at = int(np.flatnonzero(weights)[-1])
    return at, goal - (float(edges[at - 1]) if at else 0.0)


def room(columns: int) -> int:
    """The width that `padded` gives to so many columns."""
    return max(NARROWEST, 1 << (columns + 1).bit_length())


def _bound(row: NDArray[np.floating], count: int) -> float:
    """A value that at least `count` columns of a row [width] reach."""
    size = len(row)
    if count >= size:
        return -np.inf
    if not _is_grouped(size, count):
        return _lowest(row, count)
    return _lowest(row[: size // GROUPS * GROUPS].reshape(-1, GROUPS).max(axis=0), count)


def _reaching(values: NDArray[np.floating], bound: float) -> NDArray[np.bool_]:
    """Which values are not below the bound, nor ruled out."""
    reached: NDArray[np.bool_] = values >= bound if bound > -np.inf else values > bound
    return reached


def _is_grouped(size: int, count: int) -> bool:
    return size >= WIDE and count * 2 <= GROUPS


def _lowest(row: NDArray[np.floating], count: int) -> float:
    """The lowest of the `count` highest values."""
    return float(np.partition(row, len(row) - count)[len(row) - count])


def _surprise(logits: Logits) -> tuple[Probabilities, NDArray[np.float64]]:
    """Probabilities, and their logarithms without the minus."""
    below = logits.max(axis=1, keepdims=True) - logits
    weights = np.exp(-below)
    total = weights.sum(axis=1, keepdims=True)
    return weights / total, below + np.log(total)


def _mean(surprise: NDArray[np.float64], chances: Probabilities) -> Column:
    product = np.multiply(surprise, chances, out=np.zeros_like(chances), where=chances > 0)
    mean: Column = product.sum(axis=1, keepdims=True)
    return mean


def _smoothed(logits: Logits, factor: Column) -> Logits:
    top = logits.max(axis=1, keepdims=True)
    there = np.isfinite(logits)
    distance = np.where(there, logits, top) - top
    return _keep(top - factor * distance**2, there)


def _keep(logits: Logits, kept: NDArray[np.bool_]) -> Logits:
    return np.where(kept, logits, -np.inf)


def _keep_first(logits: Logits, chances: Probabilities, rank: NDArray[np.float64], share: Column) -> Logits:
    """The fewest tokens of the highest rank that have `share` together."""
    if logits.shape[1] < WIDE:
        order, before = _ranked(chances, rank)
        first = before < share
        first[:, 0] = True
        kept = np.empty(logits.shape, np.bool_)
        kept[_lines(order), order] = first
        return _keep(logits, kept)
    counts = [_enough_of_many(chances[row], rank[row], share[row]) for row in range(len(logits))]
    return _keep_best(logits, rank, np.concatenate(counts))


def _keep_best(logits: Logits, rank: NDArray[np.float64], count: NDArray[np.int64]) -> Logits:
    """So many tokens of the highest rank; of equals the one on the left first."""
    size = logits.shape[1]
    ranked = np.partition(rank, np.unique(size - count), axis=1)
    return _keep(logits, _best(rank, np.take_along_axis(ranked, size - count, axis=1), count))


def _best(rank: NDArray[np.float64], last: Column, count: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which are the first `count` by rank, of equals the ones on the left; `last`: the lowest rank of these."""
    kept = rank >= last
    if (kept.sum(axis=1, keepdims=True) > count).any():
        above, equal = rank > last, rank == last
        kept = above | (equal & (np.cumsum(equal, axis=1) <= count - above.sum(axis=1, keepdims=True)))
    return kept


def _enough(chances: Probabilities, rank: NDArray[np.float64], share: Column) -> NDArray[np.int64]:
    """How many of the highest rank have `share` together, one at least."""
    _, before = _ranked(chances, rank)
    counts: NDArray[np.int64] = np.maximum((before < share).sum(axis=1, keepdims=True), 1)
    return counts


def _ranked(chances: Probabilities, rank: NDArray[np.float64]) -> tuple[Columns, Probabilities]:
    """Columns from the highest rank down, of equals the left one first, and the chances of all before each."""
    order = (-rank).argsort(axis=1, kind="stable")
    ranked = chances[_lines(order), order]
    return order, ranked.cumsum(axis=1) - ranked


def _lines(columns: Columns) -> Columns:
    """The numbers of the rows [rows, 1]: with `columns` an index (take_along_axis takes twice as long over a few)."""
    return np.arange(len(columns))[:, None]


def _enough_of_many(chances: Probabilities, rank: NDArray[np.float64], share: Column) -> NDArray[np.int64]:
    """As above for one wide row [width]: a few are enough as a rule."""
    for few in FEW:
        columns = np.flatnonzero(rank >= _bound(rank, few))
        if chances[columns].sum() >= share[0]:
            return _enough(chances[None, columns], rank[None, columns], share)
    return _enough(chances[None], rank[None], share)
