"""Words for what a picture shows: numbers, colours, sizes, relations, and how a caption opens and ends."""

from __future__ import annotations

from random import Random

from hordenode.demo.styles import ENDINGS, FLAT, OPENINGS
from hordenode.demo.things import KINDS

NUMBERS = ("no", "one", "two", "three", "four")

# Each relation with its converse: "A above B" is drawn exactly like "B below A".
ABOVE = ("above", "over", "on top of", "higher than")
BELOW = ("below", "under", "beneath", "underneath")
LEFT = ("left of", "to the left of", "on the left of")
RIGHT = ("right of", "to the right of", "on the right of")
INSIDE = ("inside", "in", "within", "inside of")

PLAIN_OPENINGS = ("", "", "", "", "", "a picture of", "a drawing of", "an image of", "draw", "show me", "please draw")


def article(phrase: str) -> str:
    """Put 'a' or 'an' before a phrase."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


# How often the colour goes without saying that a thing has anyway.
BARE = 0.6


def noun(random: Random, kind: str, colour: str, size: str = "", unsaid: float = 0.0) -> str:
    """Words for one thing, with its article: 'a big red house'. A person's colour is that of the clothes.

    `unsaid` is how often the colour is left out.
    """
    what = random.choice(KINDS[kind].words)
    hidden = _hidden(random, kind, colour, unsaid)
    if kind == "person":
        clothes = "" if hidden else random.choice((f"in {colour}", f"wearing {colour}", f"in {colour} clothes"))
        return article(" ".join(part for part in (size, what, clothes) if part))
    return article(" ".join(part for part in (size, "" if hidden else colour, what) if part))


def group(random: Random, kind: str, colour: str, count: int, unsaid: float = 0.0, uncounted: float = 0.0) -> str:
    """Words for one to four equal things: 'three red circles'; `uncounted` is how often it is just 'red circles'."""
    if count == 1:
        plain = noun(random, kind, colour, unsaid=unsaid)
        return "one " + plain.split(" ", 1)[1] if random.random() < 0.15 else plain
    number = str(count) if random.random() < 0.1 else NUMBERS[count]
    number = "" if random.random() < uncounted else number
    hidden = _hidden(random, kind, colour, unsaid)
    if kind == "person":
        return " ".join(part for part in (number, "people", "" if hidden else f"in {colour}") if part)
    return " ".join(part for part in (number, "" if hidden else colour, KINDS[kind].plural) if part)


def _hidden(random: Random, kind: str, colour: str, unsaid: float) -> bool:
    return random.random() < max(unsaid, BARE if colour == KINDS[kind].bare else 0.0)


def listed(phrases: list[str]) -> str:
    """Join phrases: 'a sun, clouds and a house'."""
    return " and ".join([", ".join(phrases[:-1]), phrases[-1]] if len(phrases) > 1 else phrases)


def worded(random: Random, phrase: str, style: str) -> str:
    """Say the style, at the start or at the end; a flat picture mostly goes without saying."""
    if style == FLAT and random.random() < 0.8:
        opening = random.choice(PLAIN_OPENINGS)
        return f"{opening} {phrase}".strip()
    if random.random() < 0.5:
        return f"{random.choice(OPENINGS[style])} {phrase}"
    return f"{phrase}{random.choice((', ', ' '))}{random.choice(ENDINGS[style])}"
