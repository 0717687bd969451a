"""Prompt filters: regexes in two groups; a prompt that sets off both is suspicious (contract 17). None are shipped.

Patterns run on the `regex` package, the maintained engine that stops a match when its time is up. RE2 and its like match
in linear time, but cannot look around, which existing filter lists do. A pattern is tried when it is made, on texts
that bring out what takes for ever; one that gets through all the same counts as a match when its time is up.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import regex

MATCH_S = 0.05
TRIAL_S = 0.25  # longer, so that a busy machine does not refuse an honest pattern
TRIAL_LENGTH = 2000
LONGEST_PATTERN = 10_000
REPLACED_TYPE = 10
GROUPS: tuple[frozenset[int], ...] = (frozenset({10, 11}), frozenset({20}))
SUSPICIOUS = len(GROUPS)
NEGATIVE = "###"

_WEIGHT = re.compile(r"\(([^():]*):[\d.]+\)")
_PUNCTUATION = re.compile(r"[^\w\s]|_")
_SPELLED = re.compile(r"\b\w(?: \w){2,}\b")


class Filter(msgspec.Struct, frozen=True):
    """A regex that moderators keep, applied without regard to case."""

    id: str
    regex: str
    filter_type: int
    user_id: int
    description: str | None = None
    replacement: str = ""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """How many groups a prompt sets off, and the words that did it."""

    level: int = 0
    matches: tuple[str, ...] = ()


class FilterSet:
    """All filters of a horde, compiled; false when there are none."""

    def __init__(self, filters: Iterable[Filter] = ()) -> None:
        self._compiled = [(one, compiled(one.regex)) for one in filters]

    def __bool__(self) -> bool:
        return bool(self._compiled)

    def suspicion(self, prompt: str, filter_type: int | None = None) -> Suspicion:
        """What the filters (of one type) say about the positive part of a prompt."""
        text = normalised(prompt.partition(NEGATIVE)[0])
        found = dict(self._matches(text, filter_type))
        types = {one.filter_type for one in found}
        return Suspicion(
            level=sum(bool(group & types) for group in GROUPS),
            matches=tuple(dict.fromkeys(match for match in found.values() if match)),
        )

    def _matches(self, text: str, filter_type: int | None) -> Iterator[tuple[Filter, str]]:
        for one, pattern in self._compiled:
            if filter_type is not None and one.filter_type != filter_type:
                continue
            try:
                match = pattern.search(text, timeout=MATCH_S, concurrent=True)
            except TimeoutError:
                yield one, ""
                continue
            if match:
                yield one, match[0]

    def replaced(self, prompt: str) -> str | None:
        """The prompt with the replacement of each filter in its positive part; None when nothing of that is left."""
        text, found, negative = prompt.partition(NEGATIVE)
        for one, pattern in self._compiled:
            if one.filter_type != REPLACED_TYPE:
                continue
            literal = one.replacement.replace("\\", r"\\")
            try:
                text = pattern.sub(literal, text, timeout=MATCH_S, concurrent=True)
            except TimeoutError:
                return None
        return text + found + negative if text.strip() else None


def normalised(text: str) -> str:
    """A prompt as filters see it: no weights, punctuation, accents, and no words spelt letter by letter."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    spaced = " ".join(_PUNCTUATION.sub(" ", _WEIGHT.sub(r"\1", plain)).split())
    return _SPELLED.sub(lambda match: match[0].replace(" ", ""), spaced)


def compiled(pattern: str) -> regex.Pattern[str]:
    """The pattern as it is applied. ValueError with a public text when it is none."""
    import regex  # only where there are filters

    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"is longer than {LONGEST_PATTERN} characters")
    try:
        return regex.compile(pattern, regex.IGNORECASE)
    except (regex.error, RecursionError, OverflowError) as error:
        raise ValueError(f"is not a regular expression: {error}") from error


def check_pattern(pattern: str) -> None:
    """ValueError with a public text for a pattern that is broken, matches every prompt, or may take for ever."""
    made = compiled(pattern)
    for text in _trials(pattern):
        try:
            match = made.search(text, timeout=TRIAL_S, concurrent=True)
        except TimeoutError:
            raise ValueError("takes too long on some texts: avoid repetitions inside of repetitions") from None
        if match and not match[0]:
            raise ValueError("matches the empty text, and so every prompt")


def _trials(pattern: str) -> Iterator[str]:
    """Texts that nearly match for a long way: the pattern's own letters and words again and again, then an odd end."""
    yield ""
    pieces = dict.fromkeys([*re.findall(r"\w+", pattern), *re.findall(r"\w|\s", pattern), "a", "0", " ", "a ", "ab"])
    for piece in list(pieces)[:100]:
        yield piece * (TRIAL_LENGTH // len(piece) + 1) + "\0"
