"""The upper part of a scene: sky by time of day, sun, moon, stars, clouds, rain, snowfall, mountains and hills."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from hordenode.demo.palette import BLACK, RASTER, WHITE, Canvas, Colour, about, mix

SKIES: dict[str, tuple[Colour, Colour]] = {
    "day": ((92, 172, 240), (200, 232, 252)),
    "morning": ((150, 190, 236), (255, 214, 196)),
    "sunset": ((92, 54, 130), (252, 150, 74)),
    "night": ((8, 12, 40), (36, 44, 96)),
    "fog": ((178, 186, 192), (222, 224, 226)),
}
RAINY: tuple[Colour, Colour] = ((112, 124, 142), (176, 186, 198))
MOUNTAINS: dict[str, Colour] = {
    "day": (120, 128, 150),
    "morning": (140, 136, 164),
    "sunset": (110, 70, 110),
    "night": (82, 90, 132),
    "fog": (150, 158, 164),
}
DARKNESS = {"day": 0.0, "morning": 0.04, "sunset": 0.15, "night": 0.45, "fog": 0.1}
DUSK: Colour = (10, 12, 40)
# What is in the sky keeps this far from each other, in fractions of the side.
GAP = 0.19
MOON = 0.09
SUNS: dict[str, Colour] = {"day": (255, 222, 70), "morning": (255, 196, 110), "sunset": (255, 110, 60)}


def draw_sky(
    canvas: Canvas, random: Random, time: str, weather: str, horizon: float, balloons: Sequence[float]
) -> list[str]:
    """Draw everything between top and horizon, but where `balloons` will be (their x); returns the words for it."""
    things: list[str] = []
    taken = list(balloons)
    canvas.gradient(0, horizon + 0.01, *(RAINY if weather == "rain" and time in ("day", "morning") else SKIES[time]))
    if time == "night" and random.random() < 0.6:
        _stars(canvas, random, horizon)
        things.append("stars")
    if time != "fog" and weather != "rain" and random.random() < 0.55:
        things += [_sun_or_moon(canvas, x, about(random, 0.17), time) for x in _places(random, taken, 1)]
    clouds = 3 if weather != "clear" else 2 if time in ("day", "morning") and random.random() < 0.4 else 0
    if places := _places(random, taken, clouds):
        shade = mix((206, 212, 220) if weather == "rain" else (252, 252, 255), DUSK, DARKNESS[time] * 0.7)
        for x in places:
            _cloud(canvas, x, about(random, 0.19, 2), shade)
        things.append("clouds")
    if random.random() < 0.28:
        _mountains(canvas, random, horizon, MOUNTAINS[time], 6 if balloons else 9)
        things.append("mountains")
    return things


def draw_hills(canvas: Canvas, random: Random, horizon: float, colour: Colour) -> None:
    """Two round hills behind the ground."""
    for index in range(2):
        canvas.ellipse(
            about(random, 0.22 + 0.52 * index, 2),
            horizon + 0.06,
            about(random, 0.34),
            about(random, 0.19),
            mix(colour, BLACK, 0.08 * index + 0.06),
        )


def draw_weather(canvas: Canvas, random: Random, weather: str) -> None:
    """Rain or snow in front of everything."""
    if weather == "rain":
        for index in range(40):
            x, y = about(random, (index % 8 + 0.5) / 8), about(random, (index // 8 + 0.3) / 5, 2)
            canvas.line((x, y), (x - 0.02, y + 0.08), 0.011, (212, 228, 248))
    if weather == "snowfall":
        for index in range(49):
            x, y = about(random, (index % 7 + 0.5) / 7, 2), about(random, (index // 7 + 0.5) / 7, 2)
            canvas.disc(x, y, 0.014, (250, 252, 255))


def _stars(canvas: Canvas, random: Random, horizon: float) -> None:
    for index in range(18):
        x, y = about(random, (index % 6 + 0.5) / 6, 2), about(random, (index // 6 + 0.4) / 3 * horizon * 0.8, 2)
        canvas.disc(x, y, 0.011, (255, 255, 226))


def _places(random: Random, taken: list[float], count: int) -> list[float]:
    """Return up to `count` places (x) on the grid well away from each other and from those taken; takes them."""
    found: list[float] = []
    for _ in range(count):
        places = [step / RASTER for step in range(4, RASTER - 3)]
        if free := [x for x in places if all(abs(x - other) > GAP for other in taken)]:
            found.append(random.choice(free))
            taken.append(found[-1])
    return found


def _sun_or_moon(canvas: Canvas, x: float, y: float, time: str) -> str:
    if time != "night":
        canvas.disc(x, y, 0.085, SUNS[time])
        return "sun"
    # A crescent, its horns to the right: a full moon would be a pale sun.
    ends = math.pi / 3
    outer = [ends + (math.tau - 2 * ends) * step / 24 for step in range(25)]
    points = [(x + MOON * math.cos(angle), y + MOON * math.sin(angle)) for angle in outer]
    # The inner arc meets the horns: its centre lies to the right of theirs.
    horn_x, horn_y = MOON * math.cos(ends), MOON * math.sin(ends)
    inner = [math.pi - (0.5 - step / 12) * math.pi for step in range(13)]
    points += [(x + horn_x + horn_y * 0.8 * math.cos(a), y - horn_y * math.sin(a)) for a in inner]
    canvas.polygon(points, (244, 240, 200))
    return "moon"


def _cloud(canvas: Canvas, x: float, y: float, colour: Colour) -> None:
    for dx in (-0.07, 0.07, 0.0):
        canvas.ellipse(x + dx, y, 0.065, 0.05 - abs(dx) * 0.3, colour)


def _mountains(canvas: Canvas, random: Random, horizon: float, colour: Colour, steps: int) -> None:
    """Three mountains, about `steps` of the grid high."""
    for index in range(3):
        x = about(random, 0.16 + 0.34 * index)
        width, height = about(random, 0.28), about(random, steps / RASTER)
        shade = mix(colour, BLACK, 0.12 * (index % 2))
        canvas.polygon([(x - width, horizon), (x, horizon - height), (x + width, horizon)], shade)
        snow = horizon - height * 0.73
        canvas.polygon(
            [(x - width * 0.27, snow), (x, horizon - height), (x + width * 0.27, snow)], mix(WHITE, colour, 0.06)
        )
