"""From logits to the next token: vector functions, applied in the order in which they stand here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hordenode.engine.jobs import TextJob

Logits = NDArray[np.float32]
Probabilities = NDArray[np.float64]


def pick(logits: Logits, tokens: Sequence[int], job: TextJob, random: np.random.Generator) -> int:
    """The next token after `tokens`; the job's settings that are off cost nothing."""
    if job.rep_pen != 1.0:
        logits = penalise(logits, tokens[-job.rep_pen_range :], job.rep_pen)
    if job.temperature == 0.0:
        return int(logits.argmax())
    logits = logits / np.float32(job.temperature)
    if 0 < job.top_k < len(logits):
        logits = keep_top_k(logits, job.top_k)
    chances = softmax(logits)
    if job.top_p < 1.0:
        chances = keep_top_p(chances, job.top_p)
    if job.min_p > 0.0:
        chances = keep_min_p(chances, job.min_p)
    return draw(chances, random.random())


def penalise(logits: Logits, seen: Sequence[int], penalty: float) -> Logits:
    """Make tokens that were seen less likely (Keskar et al. 2019, section 4.1)."""
    ids = np.unique(np.asarray(seen, np.int64))
    changed = logits.copy()
    held = logits[ids]
    changed[ids] = np.where(held > 0, held / penalty, held * penalty)
    return changed


def keep_top_k(logits: Logits, count: int) -> Logits:
    """Rule out all but the `count` likeliest tokens, and those just as likely as the last of them."""
    least = np.partition(logits, -count)[-count]
    return np.where(logits >= least, logits, -np.inf)


def softmax(logits: Logits) -> Probabilities:
    """Probabilities in double precision, so that their sum is one wherever they are drawn."""
    weights = np.exp(logits.astype(np.float64) - logits.max())
    return _normalised(weights)


def keep_top_p(chances: Probabilities, share: float) -> Probabilities:
    """The fewest likeliest tokens that together have this share (Holtzman et al. 2020)."""
    order = np.argsort(-chances, kind="stable")
    reached = np.cumsum(chances[order])
    kept = order[: int(np.searchsorted(reached, share)) + 1]
    thinned = np.zeros_like(chances)
    thinned[kept] = chances[kept]
    return _normalised(thinned)


def keep_min_p(chances: Probabilities, share: float) -> Probabilities:
    """Tokens with at least this share of the likeliest one's probability (Nguyen et al. 2024)."""
    return _normalised(np.where(chances >= share * chances.max(), chances, 0.0))


def draw(chances: Probabilities, at: float) -> int:
    """The token at this point, 0 <= at < 1, when all are laid side by side."""
    edges = np.cumsum(chances)
    return int(np.searchsorted(edges, at * edges[-1], side="right"))


def _normalised(weights: Probabilities) -> Probabilities:
    shares: Probabilities = weights / weights.sum()
    return shares
