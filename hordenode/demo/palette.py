"""Colours and the pen shared by every kind of demo picture."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Pixels = NDArray[np.uint8]

COLOURS: dict[str, Colour] = {
    "red": (220, 40, 42),
    "blue": (40, 92, 216),
    "green": (46, 160, 67),
    "yellow": (248, 206, 36),
    "orange": (242, 132, 30),
    "purple": (132, 64, 190),
    "white": (246, 246, 246),
    "black": (26, 26, 32),
    "pink": (246, 140, 184),
}

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)

# Drawn at twice the size and averaged down: PIL draws without anti-aliasing.
SUPERSAMPLE = 2
# In outlines, areas keep this little of their colour and lines are this wide.
TINT, LINE = 0.25, 0.017
# Things stand on a grid of this many steps a side, and what is in one picture moves together: a small model then
# learns their edges much sooner.
RASTER = 32


@dataclass(frozen=True)
class Item:
    """Something that can be counted: its kind, its colour, its centre and half its size in fractions of the side."""

    kind: str
    colour: str
    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Picture:
    """One training picture: RGB pixels [H, W, 3], captions that are true of it, and what is in it.

    `tags` are the words for what cannot be counted: mountains, rain, night, watercolour.
    """

    pixels: Pixels
    captions: tuple[str, ...]
    items: tuple[Item, ...] = ()
    tags: frozenset[str] = frozenset()


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Blend two colours; `share` is the part of the second one (0 to 1)."""
    red, green, blue = (int(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def about(random: Random, place: float, steps: int = 1) -> float:
    """Return a place on the grid, at most `steps` steps from the grid's nearest to `place`."""
    return (round(place * RASTER) + random.randint(-steps, steps)) / RASTER


class Canvas:
    """A square picture addressed in fractions of its side: (0, 0) is the top left corner, (1, 1) the bottom right.

    With `outline`, areas are pale and have lines of their colour around them.
    """

    def __init__(self, size: int, background: Colour, *, outline: bool = False) -> None:
        self.size = size
        self._side = size * SUPERSAMPLE
        self._outline = outline
        self._image = Image.new("RGB", (self._side, self._side), mix(background, WHITE, 0.5) if outline else background)
        self._pen = ImageDraw.Draw(self._image)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Fill a circle around (x, y)."""
        self.ellipse(x, y, radius, radius, colour)

    def ellipse(self, x: float, y: float, half_width: float, half_height: float, colour: Colour) -> None:
        """Fill an ellipse around (x, y)."""
        box = (x - half_width, y - half_height, x + half_width, y + half_height)
        fill, line, width = self._paint(colour)
        self._pen.ellipse([v * self._side for v in box], fill=fill, outline=line, width=width)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """Fill a rectangle."""
        fill, line, width = self._paint(colour)
        self._pen.rectangle([v * self._side for v in (left, top, right, bottom)], fill=fill, outline=line, width=width)

    def polygon(self, points: list[tuple[float, float]], colour: Colour) -> None:
        """Fill a polygon."""
        fill, line, width = self._paint(colour)
        corners = [(x * self._side, y * self._side) for x, y in points]
        self._pen.polygon(corners, fill=fill)
        if line is not None:
            self._pen.line([*corners, *corners[:2]], fill=line, width=width, joint="curve")

    def line(self, start: tuple[float, float], end: tuple[float, float], width: float, colour: Colour) -> None:
        """Draw a straight line at least one final pixel wide."""
        pixels = max(SUPERSAMPLE, round(width * self._side))
        points = [v * self._side for v in (*start, *end)]
        self._pen.line(points, fill=colour, width=pixels)

    def gradient(self, top: float, bottom: float, upper: Colour, lower: Colour) -> None:
        """Fill the full-width band between two heights with a vertical gradient."""
        first, last = int(top * self._side), int(bottom * self._side)
        pale = 0.5 if self._outline else 0.0
        for y in range(first, last):
            share = (y - first) / max(1, last - first)
            self._pen.line((0, y, self._side, y), fill=mix(mix(upper, lower, share), WHITE, pale))

    def pixels(self) -> Pixels:
        """Return the finished picture, uint8 [size, size, 3]."""
        small = self._image.resize((self.size, self.size), Image.Resampling.BOX)
        return np.asarray(small, dtype=np.uint8)

    def _paint(self, colour: Colour) -> tuple[Colour, Colour | None, int]:
        if not self._outline:
            return colour, None, 0
        # White on white would be nothing: white things get grey lines.
        line = mix(colour, BLACK, 0.45) if min(colour) > 230 else colour
        return mix(WHITE, colour, TINT), line, round(LINE * self._side)
