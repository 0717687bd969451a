"""How likely the tokens of a text were, as the model had it: before penalties, filters and temperature."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from hordenode.engine.jobs import Likely, TokenLikelihood, UnsupportedJob

MOST = 20


def check(count: int | None) -> None:
    """Raises UnsupportedJob for a number of alternatives that is out of range."""
    if count is not None and not 0 <= count <= MOST:
        raise UnsupportedJob(f"logprobs is {count}; it must be between 0 and {MOST}.")


def likelihood(row: NDArray[np.float32], token: int, count: int, tokenizer: Tokenizer) -> TokenLikelihood:
    """The logarithm of a token's probability in a row of logits [vocabulary], and of the `count` likeliest ones'."""
    logits = row.astype(np.float64)
    top = logits.max()
    whole = top + np.log(np.exp(logits - top).sum())
    found = np.argpartition(-logits, min(count, len(row) - 1))[:count]
    ranked = found[np.argsort(-logits[found], kind="stable")].tolist()

    def likely(each: int) -> Likely:
        return Likely(each, str(tokenizer.decode([each], skip_special_tokens=False)), float(logits[each] - whole))

    return TokenLikelihood(likely(token), tuple(likely(each) for each in ranked))
