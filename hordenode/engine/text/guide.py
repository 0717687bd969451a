"""Texts that must be JSON of a schema, match a regular expression or follow a grammar: which tokens may come next.

llguidance does the work. It is loaded when the first such text comes; what a definition may cost is limited, so that
the other texts of a batch go on: a few milliseconds to read it, at worst some tens for a token.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from hordenode.engine.jobs import Constraint, EngineError, UnsupportedJob

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer

LONGEST = 256 * 1024  # characters of a definition
READING, TOKEN, ITEMS = 200_000, 50_000, 4_000  # in llguidance's fuel, and parser states of a token
NAMES = {"json_schema": "JSON schema", "regex": "regular expression", "grammar": "grammar"}


class Guide:
    """What one text may still become."""

    def __init__(self, matcher: LLMatcher) -> None:
        self._matcher = matcher
        self._mask: NDArray[np.bool_] = np.zeros(0, bool)

    def look(self) -> None:
        """Find out what may come next. Raises EngineError when that takes too long."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        if self._matcher.is_error():
            raise EngineError(f"The text could not be kept in its form: {_brief(self._matcher.get_error())}.")
        self._mask = np.unpackbits(bits, bitorder="little").view(bool)

    def limit(self, row: NDArray[np.float64]) -> None:
        """Rule out in a row of logits [vocabulary] what may not come."""
        size = min(len(row), len(self._mask))
        row[:size][~self._mask[:size]] = -np.inf
        row[size:] = -np.inf

    def take(self, token: int) -> bool:
        """Go on with a token; True when nothing may follow it."""
        self._matcher.consume_token(token)
        return self._matcher.is_stopped()


class Guides:
    """Makes guides for the texts of one model."""

    def __init__(self, tokenizer: Tokenizer, ends: Iterable[int]) -> None:
        self._tokenizer = tokenizer
        self._ends = sorted(ends)
        self._vocabulary: LLTokenizer | None = None

    def start(self, constraint: Constraint) -> Guide:
        """A guide for a new text. Raises UnsupportedJob for a definition that means nothing."""
        from llguidance import LLMatcher, LLParserLimits

        if self._vocabulary is None:
            self._vocabulary = self._read()
        limits = LLParserLimits(
            initial_lexer_fuel=READING, step_lexer_fuel=TOKEN, step_max_items=ITEMS, verbose_errors=False
        )
        matcher = LLMatcher(self._vocabulary, _grammar(constraint), log_level=0, limits=limits)
        if matcher.is_error():
            raise _refusal(constraint, matcher.get_error())
        return Guide(matcher)

    def _read(self) -> LLTokenizer:
        from llguidance import LLTokenizer

        plain = Tokenizer.from_str(self._tokenizer.to_str())
        plain.no_padding()
        plain.no_truncation()
        size = plain.get_vocab_size()
        # Without a token for the end, one beyond the last stands for it, which no model writes.
        ends = self._ends or [size]
        return LLTokenizer(plain.to_str(), n_vocab=max(size, *(end + 1 for end in ends)), eos_token=ends)


def _grammar(constraint: Constraint) -> str:
    """The definition as llguidance takes it. Raises UnsupportedJob."""
    from llguidance import LLMatcher

    text = constraint.definition
    if len(text) > LONGEST:
        raise _refusal(constraint, f"it is longer than {LONGEST} characters")
    if constraint.kind == "regex":
        return LLMatcher.grammar_from_regex(text)
    if constraint.kind == "grammar":
        return LLMatcher.grammar_from_lark(text)
    if constraint.kind != "json_schema":
        raise UnsupportedJob(f"There is no constraint '{constraint.kind}'; there are {', '.join(NAMES)}.")
    try:
        json.loads(text)
        return LLMatcher.grammar_from_json_schema(text)
    except (ValueError, RecursionError) as error:
        raise _refusal(constraint, str(error)) from error


def _refusal(constraint: Constraint, trouble: str) -> UnsupportedJob:
    return UnsupportedJob(f"The {NAMES[constraint.kind]} cannot be followed: {_brief(trouble)}.")


def _brief(trouble: str) -> str:
    """Its first lines: what follows repeats the grammar."""
    return " ".join(trouble.split("\n\n", maxsplit=1)[0].split())[:300].rstrip(".")
