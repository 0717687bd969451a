"""Pictures of one to four shapes or things on a plain background: sizes, counts and relations."""

from __future__ import annotations

from random import Random

from hordenode.demo.palette import COLOURS, WHITE, Canvas, Colour, Item, Picture, about, mix
from hordenode.demo.styles import OUTLINE, STYLES, WEIGHTS, finish
from hordenode.demo.things import KINDS, SHAPES, THINGS
from hordenode.demo.wording import ABOVE, BELOW, INSIDE, LEFT, RIGHT, group, noun, worded

BACKGROUNDS = ("white", "black", "grey", "yellow", "pink", "blue", "green")
CAPTIONS = 4

# Where one to four equal figures stand, and how large they are.
NEAR, FAR = 9 / 32, 23 / 32
PLACES: tuple[tuple[tuple[float, float], ...], ...] = (
    ((0.5, 0.5),),
    ((NEAR, 0.5), (FAR, 0.5)),
    ((NEAR, NEAR), (FAR, NEAR), (0.5, FAR)),
    ((NEAR, NEAR), (FAR, NEAR), (NEAR, FAR), (FAR, FAR)),
)


def figures_picture(random: Random, size: int) -> Picture:
    """Draw a single figure, a count of equal ones, two in a relation, or one inside another."""
    background = random.choice(BACKGROUNDS) if random.random() < 0.35 else "white"
    colours = [name for name in COLOURS if name != background]
    make = random.choices((_single, _count, _pair, _nested), (0.26, 0.26, 0.38, 0.1))[0]
    items, phrases = make(random, colours)
    style = random.choices(STYLES, WEIGHTS)[0]
    canvas = Canvas(size, background_colour(background), outline=style == OUTLINE)
    for item in items:
        KINDS[item.kind].draw(canvas, item.x, item.y, item.radius, COLOURS[item.colour])
    captions = tuple(_caption(random, random.choice(phrases), background, style) for _ in range(CAPTIONS))
    tags = frozenset({f"{background} background", style})
    return Picture(finish(canvas.pixels(), style, random), captions, tuple(items), tags)


def background_colour(name: str) -> Colour:
    """Backgrounds are lighter than the figures of the same name, so that a name never hides a figure."""
    if name == "white":
        return WHITE
    if name == "black":
        return 10, 10, 14
    if name == "grey":
        return 150, 152, 156
    return mix(COLOURS[name], WHITE, 0.35)


def relation_phrases(random: Random, first: Item, second: Item, *, vertical: bool) -> list[str]:
    """Say where `first` (upper or left) and `second` stand, seen from each of the two."""
    forward, converse = (ABOVE, BELOW) if vertical else (LEFT, RIGHT)
    pairs = [
        (first, forward[0], second),
        (second, converse[0], first),
        (first, random.choice(forward), second),
        (second, random.choice(converse), first),
    ]
    return [f"{_noun(random, a)} {relation} {_noun(random, b)}" for a, relation, b in pairs]


def _noun(random: Random, item: Item, size: str = "") -> str:
    return noun(random, item.kind, item.colour, size)


def _kind_and_colour(random: Random, colours: list[str]) -> tuple[str, str]:
    """Shapes more often than things: relations are asked of them first."""
    kind = random.choice(tuple(SHAPES if random.random() < 0.62 else THINGS))
    fitting = [name for name in KINDS[kind].colours if name in colours]
    # A pine tree on a green background has no other colour to take: it becomes a heart of one that shows.
    return (kind, random.choice(fitting)) if fitting else ("heart", random.choice(colours))


def _single(random: Random, colours: list[str]) -> tuple[list[Item], list[str]]:
    kind, colour = _kind_and_colour(random, colours)
    size, radius = random.choice((("", 0.27), ("", 0.27), ("small", 0.14), ("big", 0.38), ("big", 0.38)))
    item = Item(kind, colour, about(random, 0.5), about(random, 0.5), radius)
    words = {"big": ("big", "large", "huge"), "small": ("small", "little", "tiny")}.get(size, ("",))
    return [item], [_noun(random, item, word) for word in words]


def _count(random: Random, colours: list[str]) -> tuple[list[Item], list[str]]:
    kind, colour = _kind_and_colour(random, colours)
    count = random.choice((2, 2, 3, 3, 4, 4, 1))
    radius = (0.27, 0.18, 0.17, 0.16)[count - 1]
    dx, dy = (about(random, 0) for _ in range(2))
    items = [Item(kind, colour, x + dx, y + dy, radius) for x, y in PLACES[count - 1]]
    return items, [group(random, kind, colour, count) for _ in range(3)]


def _pair(random: Random, colours: list[str]) -> tuple[list[Item], list[str]]:
    vertical = random.random() < 0.55
    places = ((0.5, 0.25), (0.5, 0.75)) if vertical else ((0.25, 0.5), (0.75, 0.5))
    dx, dy = (about(random, 0) for _ in range(2))
    items = [Item(*_kind_and_colour(random, colours), x + dx, y + dy, 0.185) for x, y in places]
    if len({(item.kind, item.colour) for item in items}) == 1:
        kind, colour = items[0].kind, items[0].colour
        return items, [group(random, kind, colour, 2)]
    return items, relation_phrases(random, items[0], items[1], vertical=vertical)


def _nested(random: Random, colours: list[str]) -> tuple[list[Item], list[str]]:
    """A small shape inside a large circle, square or heart."""
    inner, outer = random.sample(colours, 2)
    around = Item(random.choice(("circle", "square", "square", "heart")), outer, 0.5, 0.5, 0.38)
    within = Item(random.choice(tuple(SHAPES)), inner, 0.5, 0.5, 0.15)
    return [around, within], [f"{_noun(random, within)} {word} {_noun(random, around)}" for word in INSIDE]


def _caption(random: Random, phrase: str, background: str, style: str) -> str:
    """A bare phrase means a white background; any other background is always named."""
    if background != "white" or random.random() < 0.12:
        phrase += random.choice((f" on a {background} background", f", {background} background", f" on {background}"))
    return worded(random, phrase, style)
