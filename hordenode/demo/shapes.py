"""Pictures of one coloured shape, or of two that stand in a relation, with captions worded from either side."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from hordenode.demo.palette import BLACK, COLOURS, WHITE, Canvas, Colour, Picture, mix

SHAPES = ("circle", "square", "triangle")
BACKGROUNDS = ("white", "black", "grey", "yellow", "pink", "blue", "green")

# Each relation with its converse: "A above B" is drawn exactly like "B below A".
ABOVE = ("above", "over", "on top of")
BELOW = ("below", "under", "beneath")
LEFT = ("left of", "to the left of")
RIGHT = ("right of", "to the right of")

OPENINGS = ("", "", "", "", "a picture of ", "a drawing of ")


@dataclass(frozen=True)
class Shape:
    """A coloured shape centred on (x, y), `radius` wide; all in fractions of the picture's side."""

    kind: str
    colour: str
    x: float
    y: float
    radius: float

    @property
    def noun(self) -> str:
        """The words for it: 'a red circle'."""
        article = "an" if self.colour[0] in "aeiou" else "a"
        return f"{article} {self.colour} {self.kind}"


def shapes_picture(random: Random, size: int) -> Picture:
    """Draw one (one time in four) or two shapes on a plain background."""
    background = random.choice(BACKGROUNDS) if random.random() < 0.5 else "white"
    choices = [name for name in COLOURS if name != background]
    if random.random() < 0.25:
        shape = _single(random, choices)
        shapes, phrases = [shape], [shape.noun]
        if shape.radius > 0.3:
            phrases.append(f"a big {shape.colour} {shape.kind}")
        elif shape.radius < 0.17:
            phrases.append(f"a small {shape.colour} {shape.kind}")
    else:
        first, second, vertical = _pair(random, choices)
        shapes = [first, second]
        phrases = relation_phrases(random, first, second, vertical=vertical)
    canvas = Canvas(size, background_colour(background))
    for shape in shapes:
        draw_shape(canvas, shape)
    captions = [caption for phrase in phrases for caption in _captions(random, phrase, background)]
    return Picture(canvas.pixels(), tuple(captions))


def relation_phrases(random: Random, first: Shape, second: Shape, *, vertical: bool) -> list[str]:
    """Say where `first` (upper or left) and `second` stand, seen from each of the two."""
    forward, converse = (ABOVE, BELOW) if vertical else (LEFT, RIGHT)
    pairs = [
        (first, forward[0], second),
        (second, converse[0], first),
        (first, random.choice(forward), second),
        (second, random.choice(converse), first),
    ]
    return [f"{a.noun} {relation} {b.noun}" for a, relation, b in pairs]


def background_colour(name: str) -> Colour:
    """Backgrounds are lighter than the shapes of the same name, so that a name never hides a shape."""
    if name == "white":
        return WHITE
    if name == "black":
        return BLACK
    if name == "grey":
        return 150, 152, 156
    return mix(COLOURS[name], WHITE, 0.35)


def draw_shape(canvas: Canvas, shape: Shape) -> None:
    """Fill the shape; a white one on white (or the like) cannot occur, the caller picks another colour."""
    x, y, r, colour = shape.x, shape.y, shape.radius, COLOURS[shape.colour]
    if shape.kind == "circle":
        canvas.disc(x, y, r, colour)
    elif shape.kind == "square":
        canvas.box(x - r * 0.9, y - r * 0.9, x + r * 0.9, y + r * 0.9, colour)
    else:
        canvas.polygon([(x, y - r * 1.1), (x + r * 1.05, y + r * 0.8), (x - r * 1.05, y + r * 0.8)], colour)


def _single(random: Random, colours: list[str]) -> Shape:
    return Shape(
        kind=random.choice(SHAPES),
        colour=random.choice(colours),
        x=0.5 + random.uniform(-0.08, 0.08),
        y=0.5 + random.uniform(-0.08, 0.08),
        radius=random.uniform(0.13, 0.36),
    )


def _pair(random: Random, colours: list[str]) -> tuple[Shape, Shape, bool]:
    """Two shapes, the first one above (vertical) or left of the second."""
    vertical = random.random() < 0.6
    places = ((0.5, 0.27), (0.5, 0.73)) if vertical else ((0.27, 0.5), (0.73, 0.5))
    first, second = (
        Shape(
            kind=random.choice(SHAPES),
            colour=random.choice(colours),
            x=x + random.uniform(-0.04, 0.04),
            y=y + random.uniform(-0.04, 0.04),
            radius=random.uniform(0.14, 0.2),
        )
        for x, y in places
    )
    return first, second, vertical


def _captions(random: Random, phrase: str, background: str) -> list[str]:
    """A bare phrase means a white background; any other background is always named."""
    named = random.choice((f" on a {background} background", f", {background} background"))
    opening = random.choice(OPENINGS)
    if background == "white":
        return [phrase, opening + phrase + random.choice(("", named))]
    return [opening + phrase + named]
