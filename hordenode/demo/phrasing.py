"""Patterns of questions: `(How|Where) (do|can) I get kudos?` stands for every sentence that its choices make."""

from __future__ import annotations

import re
from random import Random

_CHOICE = re.compile(r"\(([^()]*)\)")
# People type in a hurry: this share of questions has two letters swapped or one left out, or is written in lower case.
MISTYPED, CARELESS = 0.12, 0.25
LONG_WORD = 5


def spoken(random: Random, pattern: str) -> str:
    """Make every choice of a pattern, the innermost ones first."""
    while found := _CHOICE.search(pattern):
        pattern = pattern[: found.start()] + random.choice(found[1].split("|")) + pattern[found.end() :]
    return re.sub(r" +(?=[ ?.!,])", "", pattern).strip()


def spoken_by(pattern: str, sentence: str) -> bool:
    """Tell whether the pattern stands for the sentence; case, spaces and marks do not count."""
    escaped = re.sub(r"[^\w()| ]", "", pattern.lower()).replace("(", "(?:").replace(" ", r"\s*")
    return re.fullmatch(escaped, re.sub(r"[^\w ]", "", sentence.lower())) is not None


def careless(random: Random, sentence: str) -> str:
    """Write some sentences as people do: no capital, no mark at the end, a slip of the finger."""
    if random.random() < CARELESS:
        sentence = sentence.lower().rstrip("?.!")
    if random.random() < MISTYPED:
        words = sentence.split(" ")
        places = [i for i, word in enumerate(words) if len(word) >= LONG_WORD and word.isalpha()]
        if places:
            place = random.choice(places)
            words[place] = _slip(random, words[place])
            sentence = " ".join(words)
    return sentence


def _slip(random: Random, word: str) -> str:
    at = random.randrange(1, len(word) - 2)
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return random.choice((swapped, word[:at] + word[at + 1 :]))
