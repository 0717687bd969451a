"""The upper part of a scene: sky by time of day, sun, moon, stars, clouds, rain, snowfall, mountains and hills."""

from __future__ import annotations

from random import Random

from hordenode.demo.palette import BLACK, WHITE, Canvas, Colour, mix

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
    "night": (44, 48, 80),
    "fog": (150, 158, 164),
}
DARKNESS = {"day": 0.0, "morning": 0.04, "sunset": 0.15, "night": 0.45, "fog": 0.1}
DUSK: Colour = (10, 12, 40)
SUNS: dict[str, Colour] = {"day": (255, 222, 70), "morning": (255, 196, 110), "sunset": (255, 110, 60)}


def draw_sky(canvas: Canvas, random: Random, time: str, weather: str, horizon: float) -> list[str]:
    """Draw everything between top and horizon; returns the words for it."""
    things: list[str] = []
    canvas.gradient(0, horizon + 0.01, *(RAINY if weather == "rain" and time in ("day", "morning") else SKIES[time]))
    if time == "night" and random.random() < 0.6:
        _stars(canvas, random, horizon)
        things.append("stars")
    if time != "fog" and weather != "rain" and random.random() < 0.55:
        things.append(_sun_or_moon(canvas, random, time))
    clouds = weather in ("rain", "snowfall") or (time in ("day", "morning") and random.random() < 0.4)
    if clouds:
        shade = (206, 212, 220) if weather == "rain" else (252, 252, 255)
        for _ in range(2 if weather == "clear" else 3):
            _cloud(canvas, random.uniform(0.1, 0.9), random.uniform(0.1, 0.28), mix(shade, DUSK, DARKNESS[time] * 0.7))
        things.append("clouds")
    ridge = random.random()
    if ridge < 0.28:
        _mountains(canvas, random, horizon, MOUNTAINS[time])
        things.append("mountains")
    return things


def draw_hills(canvas: Canvas, random: Random, horizon: float, colour: Colour) -> None:
    """Two round hills behind the ground."""
    for index in range(2):
        x = 0.22 + 0.52 * index + random.uniform(-0.06, 0.06)
        canvas.ellipse(
            x,
            horizon + 0.06,
            random.uniform(0.3, 0.38),
            random.uniform(0.16, 0.22),
            mix(colour, BLACK, 0.08 * index + 0.06),
        )


def draw_weather(canvas: Canvas, random: Random, weather: str) -> None:
    """Rain or snow in front of everything."""
    if weather == "rain":
        for index in range(40):
            x, y = (index % 8 + random.random()) / 8, (index // 8 + random.random()) / 5
            canvas.line((x, y), (x - 0.02, y + 0.07), 0.008, (208, 224, 244))
    if weather == "snowfall":
        for index in range(49):
            x, y = (index % 7 + random.random()) / 7, (index // 7 + random.random()) / 7
            canvas.disc(x, y, 0.012, (250, 252, 255))


def _stars(canvas: Canvas, random: Random, horizon: float) -> None:
    for index in range(18):
        x, y = (index % 6 + random.random()) / 6, (index // 6 + random.random()) / 3 * horizon * 0.8
        canvas.disc(x, y, 0.009, (255, 255, 226))


def _sun_or_moon(canvas: Canvas, random: Random, time: str) -> str:
    x, y = random.uniform(0.15, 0.85), random.uniform(0.13, 0.24)
    if time != "night":
        canvas.disc(x, y, 0.085, SUNS[time])
        return "sun"
    canvas.disc(x, y, 0.08, (240, 240, 220))
    canvas.disc(x - 0.02, y - 0.02, 0.018, (216, 216, 196))
    return "moon"


def _cloud(canvas: Canvas, x: float, y: float, colour: Colour) -> None:
    for dx in (-0.07, 0.07, 0.0):
        canvas.ellipse(x + dx, y, 0.065, 0.05 - abs(dx) * 0.3, colour)


def _mountains(canvas: Canvas, random: Random, horizon: float, colour: Colour) -> None:
    for index in range(3):
        x = 0.15 + 0.33 * index + random.uniform(-0.05, 0.05)
        width, height = random.uniform(0.24, 0.32), random.uniform(0.24, 0.34)
        shade = mix(colour, BLACK, 0.12 * (index % 2))
        canvas.polygon([(x - width, horizon), (x, horizon - height), (x + width, horizon)], shade)
        snow = horizon - height * 0.73
        canvas.polygon(
            [(x - width * 0.27, snow), (x, horizon - height), (x + width * 0.27, snow)], mix(WHITE, colour, 0.06)
        )
