"""What can be counted in a demo picture: five plain shapes and eight things, each drawn around a centre."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from hordenode.demo.palette import BLACK, WHITE, Canvas, Colour, mix

WOOD: Colour = (112, 72, 40)
GLASS: Colour = (208, 234, 250)
LAMP: Colour = (255, 236, 150)
SKIN: Colour = (244, 204, 164)
DARK: Colour = (40, 40, 48)

Draw = Callable[[Canvas, float, float, float, Colour], None]


@dataclass(frozen=True)
class Kind:
    """How a thing is drawn (centred, half as high or wide as `radius` says), its words, its colours."""

    draw: Draw
    words: tuple[str, ...]
    plural: str
    colours: tuple[str, ...]
    bare: str = ""  # the colour that needs no word


ALL = ("red", "blue", "green", "yellow", "orange", "purple", "white", "black", "pink")


def _circle(canvas: Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    canvas.disc(x, y, r, colour)


def _square(canvas: Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    canvas.box(x - r * 0.9, y - r * 0.9, x + r * 0.9, y + r * 0.9, colour)


def _triangle(canvas: Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    canvas.polygon([(x, y - r * 1.1), (x + r * 1.05, y + r * 0.8), (x - r * 1.05, y + r * 0.8)], colour)


def _star(canvas: Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    turns = [(math.pi * (i / 5 - 0.5), r * (1.1 if i % 2 == 0 else 0.48)) for i in range(10)]
    canvas.polygon([(x + math.cos(angle) * far, y + math.sin(angle) * far) for angle, far in turns], colour)


def _heart(canvas: Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    points = []
    for i in range(40):
        t = i / 40 * math.tau
        across, up = 16 * math.sin(t) ** 3, 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t)
        points.append((x + across * r / 16, y - (up + 2.5) * r / 15))
    canvas.polygon(points, colour)


def _house(canvas: Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    top = y - r * 0.1
    canvas.box(x - r * 0.8, top, x + r * 0.8, y + r, colour)
    roof = mix(colour, (70, 24, 12), 0.62)
    canvas.polygon([(x - r, top), (x, y - r), (x + r, top)], roof)
    canvas.box(x - r * 0.18, y + r * 0.4, x + r * 0.18, y + r, WOOD)
    for side in (-1, 1):
        middle = x + side * r * 0.5
        canvas.box(middle - r * 0.15, y + r * 0.15, middle + r * 0.15, y + r * 0.45, LAMP)


def _tree(canvas: Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    canvas.box(x - r * 0.13, y + r * 0.2, x + r * 0.13, y + r, WOOD)
    shade = mix(colour, BLACK, 0.1)
    for dx, dy in ((-0.36, 0.0), (0.36, 0.0)):
        canvas.disc(x + r * dx, y + r * dy, r * 0.4, shade)
    canvas.disc(x, y - r * 0.42, r * 0.55, colour)


def _pine(canvas: Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    canvas.box(x - r * 0.1, y + r * 0.5, x + r * 0.1, y + r, WOOD)
    for half, base, top in ((0.7, 0.65, -0.1), (0.56, 0.2, -0.55), (0.42, -0.25, -1.0)):
        canvas.polygon([(x - r * half, y + r * base), (x, y + r * top), (x + r * half, y + r * base)], colour)


def _boat(canvas: Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    deck = y + r * 0.45
    hull = [(x - r, deck), (x + r, deck), (x + r * 0.6, y + r * 0.9), (x - r * 0.6, y + r * 0.9)]
    canvas.line((x, deck), (x, y - r), r * 0.09, WOOD)
    canvas.polygon([(x + r * 0.08, y - r), (x + r * 0.8, y + r * 0.3), (x + r * 0.08, y + r * 0.3)], (250, 250, 245))
    canvas.polygon(
        [(x - r * 0.08, y - r * 0.7), (x - r * 0.6, y + r * 0.3), (x - r * 0.08, y + r * 0.3)], (232, 232, 226)
    )
    canvas.polygon(hull, colour)


def _car(canvas: Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    cabin = [(x - r * 0.6, y), (x - r * 0.35, y - r * 0.5), (x + r * 0.3, y - r * 0.5), (x + r * 0.6, y)]
    canvas.polygon(cabin, mix(colour, BLACK, 0.12))
    for left, right in ((-0.38, -0.04), (0.04, 0.36)):
        canvas.box(x + r * left, y - r * 0.38, x + r * right, y - r * 0.04, GLASS)
    canvas.box(x - r, y - r * 0.02, x + r, y + r * 0.42, colour)
    for side in (-1, 1):
        canvas.disc(x + side * r * 0.55, y + r * 0.42, r * 0.24, DARK)
        canvas.disc(x + side * r * 0.55, y + r * 0.42, r * 0.1, (190, 190, 196))


def _balloon(canvas: Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    for side in (-1, 1):
        canvas.line((x + side * r * 0.42, y + r * 0.15), (x + side * r * 0.17, y + r * 0.7), r * 0.05, WOOD)
    canvas.ellipse(x, y - r * 0.3, r * 0.7, r * 0.72, colour)
    canvas.ellipse(x, y - r * 0.3, r * 0.26, r * 0.72, mix(colour, WHITE, 0.35))
    canvas.box(x - r * 0.2, y + r * 0.68, x + r * 0.2, y + r, WOOD)


def _cat(canvas: Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    light = mix(colour, WHITE, 0.25) if max(colour) < 80 else mix(colour, BLACK, 0.12)
    canvas.line((x + r * 0.4, y + r * 0.85), (x + r * 0.9, y - r * 0.05), r * 0.17, light)
    canvas.ellipse(x, y + r * 0.45, r * 0.52, r * 0.55, colour)
    for side in (-1, 1):
        ear = [(x + side * r * 0.42, y - r), (x + side * r * 0.48, y - r * 0.4), (x + side * r * 0.06, y - r * 0.68)]
        canvas.polygon(ear, light)
    canvas.ellipse(x, y - r * 0.35, r * 0.5, r * 0.42, colour)
    eye = (120, 210, 90) if max(colour) < 80 else DARK
    for side in (-1, 1):
        canvas.disc(x + side * r * 0.2, y - r * 0.4, r * 0.075, eye)
    canvas.polygon([(x - r * 0.08, y - r * 0.24), (x + r * 0.08, y - r * 0.24), (x, y - r * 0.14)], (236, 120, 140))


def _person(canvas: Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    for side in (-1, 1):
        canvas.line((x + side * r * 0.16, y + r * 0.35), (x + side * r * 0.2, y + r), r * 0.17, DARK)
        canvas.line((x + side * r * 0.2, y - r * 0.25), (x + side * r * 0.55, y + r * 0.2), r * 0.14, SKIN)
    canvas.polygon(
        [
            (x - r * 0.24, y - r * 0.4),
            (x + r * 0.24, y - r * 0.4),
            (x + r * 0.36, y + r * 0.42),
            (x - r * 0.36, y + r * 0.42),
        ],
        colour,
    )
    canvas.disc(x, y - r * 0.7, r * 0.28, SKIN)
    canvas.polygon([(x - r * 0.3, y - r * 0.74), (x, y - r * 1.05), (x + r * 0.3, y - r * 0.74)], WOOD)


SHAPES: dict[str, Kind] = {
    "circle": Kind(_circle, ("circle", "circle", "disc", "ball"), "circles", ALL),
    "square": Kind(_square, ("square", "square", "box"), "squares", ALL),
    "triangle": Kind(_triangle, ("triangle",), "triangles", ALL),
    "star": Kind(_star, ("star",), "stars", ALL),
    "heart": Kind(_heart, ("heart",), "hearts", ALL),
}
THINGS: dict[str, Kind] = {
    "house": Kind(
        _house, ("house", "house", "house", "cottage", "home"), "houses", ("red", "white", "blue", "yellow", "pink")
    ),
    "tree": Kind(_tree, ("tree",), "trees", ("green", "green", "orange", "pink", "red"), "green"),
    "pine": Kind(_pine, ("pine tree", "pine", "fir tree"), "pine trees", ("green",), "green"),
    "boat": Kind(_boat, ("boat", "boat", "sailing boat", "ship"), "boats", ("red", "white", "blue", "yellow", "black")),
    "car": Kind(_car, ("car", "car", "automobile"), "cars", ("red", "white", "blue", "yellow", "green", "black")),
    "balloon": Kind(
        _balloon,
        ("balloon", "balloon", "hot air balloon"),
        "balloons",
        ("red", "blue", "yellow", "orange", "purple", "pink", "green"),
    ),
    "cat": Kind(_cat, ("cat", "cat", "cat", "kitten"), "cats", ("black", "white", "orange")),
    "person": Kind(
        _person, ("person", "figure", "man", "woman", "child"), "people", ("red", "blue", "green", "yellow", "purple")
    ),
}
KINDS = SHAPES | THINGS
