"""Words that the owner does not want in names, infos and contacts (contract 11: none are shipped)."""

from __future__ import annotations

import re
from functools import lru_cache


def refused(text: str, words: tuple[str, ...]) -> bool:
    """Whether one of the words stands in the text, ignoring case. Parts of longer words do not count."""
    return bool(words) and _pattern(words).search(text) is not None


@lru_cache(maxsize=8)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, words)) + r")(?!\w)", re.IGNORECASE)
