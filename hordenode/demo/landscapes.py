"""Simple scenes: a sky, a ground and a few things in them."""

from __future__ import annotations

from random import Random

from hordenode.demo.palette import BLACK, COLOURS, WHITE, Canvas, Colour, Picture, mix

SKIES: dict[str, tuple[Colour, Colour]] = {
    "day": ((92, 172, 240), (200, 232, 252)),
    "sunset": ((92, 54, 130), (252, 150, 74)),
    "night": ((8, 12, 40), (36, 44, 96)),
    "fog": ((178, 186, 192), (222, 224, 226)),
}
GROUNDS: dict[str, Colour] = {
    "meadow": (98, 176, 74),
    "sea": (28, 104, 176),
    "desert": (230, 196, 120),
    "snow": (236, 242, 250),
}
MOUNTAINS: dict[str, Colour] = {
    "day": (120, 128, 150),
    "sunset": (110, 70, 110),
    "night": (44, 48, 80),
    "fog": (150, 158, 164),
}
DARKNESS = {"day": 0.0, "sunset": 0.15, "night": 0.45, "fog": 0.1}
DUSK: Colour = (10, 12, 40)

WHEN = {
    "day": ("by day", "on a sunny day", ""),
    "sunset": ("at sunset", "in the evening"),
    "night": ("at night",),
    "fog": ("in fog", "on a foggy day"),
}
WHERE = {
    "meadow": ("in a green meadow", "in a meadow"),
    "sea": ("on the sea",),
    "desert": ("in the desert",),
    "snow": ("in the snow",),
}
HOUSES = ("red", "white", "blue", "yellow", "pink")
BOATS = ("red", "white", "blue", "yellow", "black")
TREES = ("green", "green", "orange", "pink")


def landscape_picture(random: Random, size: int) -> Picture:
    """Draw one scene and say what is in it."""
    time = random.choice(tuple(SKIES))
    ground = random.choice(tuple(GROUNDS))
    horizon = random.uniform(0.55, 0.68)
    canvas = Canvas(size, WHITE)
    things = _sky(canvas, random, time, horizon) + _ground(canvas, random, time, ground, horizon)
    return Picture(canvas.pixels(), tuple(_caption(random, things, time, ground) for _ in range(4)))


def _caption(random: Random, things: list[str], time: str, ground: str) -> str:
    named = random.sample(things, len(things))
    # "a sun, clouds and a house"
    listed = " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)
    place, moment = random.choice(WHERE[ground]), random.choice(WHEN[time])
    if not named:
        listed = "a view" if ground == "sea" else ""
    return " ".join(part for part in (listed, place, moment) if part)


def _sky(canvas: Canvas, random: Random, time: str, horizon: float) -> list[str]:
    """Draw everything down to the horizon; returns the words for it."""
    things: list[str] = []
    canvas.gradient(0, horizon, *SKIES[time])
    if time == "night":
        for _ in range(14):
            canvas.disc(random.random(), random.uniform(0, horizon * 0.85), 0.007, (255, 255, 230))
    if random.random() < 0.55 and time != "fog":
        things.append(_sun_or_moon(canvas, random, time))
    if time == "day" and random.random() < 0.4:
        for _ in range(2):
            _cloud(canvas, random.uniform(0.1, 0.9), random.uniform(0.1, 0.3))
        things.append("clouds")
    if random.random() < 0.4:
        _mountains(canvas, random, horizon, MOUNTAINS[time])
        things.append("mountains")
    return things


def _ground(canvas: Canvas, random: Random, time: str, ground: str, horizon: float) -> list[str]:
    """Draw everything below the horizon and what stands on it; returns the words for it."""
    base = mix(GROUNDS[ground], DUSK, DARKNESS[time])
    canvas.gradient(horizon, 1, mix(base, WHITE, 0.12), mix(base, BLACK, 0.15))
    if ground == "sea":
        for _ in range(10):
            x, y = random.random(), random.uniform(horizon + 0.02, 1)
            canvas.line((x, y), (x + 0.09, y), 0.01, mix(base, WHITE, 0.3))
    slots = random.sample((0.22, 0.5, 0.78), 3)
    things: list[str] = []
    for slot in slots[: random.choice((0, 1, 1, 1, 2))]:
        x, y = slot + random.uniform(-0.05, 0.05), horizon + random.uniform(0.06, 0.2)
        things.append(_thing(canvas, random, x, y, sea=ground == "sea", dark=DARKNESS[time] * 0.6))
    return things


def _thing(canvas: Canvas, random: Random, x: float, y: float, *, sea: bool, dark: float) -> str:
    """Put a boat on the sea, or a house, a tree or a pine on land; returns the words for it."""
    kind = "boat" if sea else random.choice(("house", "house", "tree", "pine"))
    if kind == "pine":
        _pine(canvas, x, y, 0.32, mix((30, 110, 60), DUSK, dark))
        return "a pine tree"
    name = random.choice({"boat": BOATS, "house": HOUSES, "tree": TREES}[kind])
    colour = mix(COLOURS[name], DUSK, dark)
    draw = {"boat": _boat, "house": _house, "tree": _tree}[kind]
    draw(canvas, x, y, 0.32, colour)
    if name == "green":
        return random.choice(("a tree", "a green tree"))
    article = "an" if name == "orange" else "a"
    return f"{article} {name} {kind}"


def _sun_or_moon(canvas: Canvas, random: Random, time: str) -> str:
    x, y = random.uniform(0.15, 0.85), random.uniform(0.13, 0.28)
    colours: dict[str, Colour] = {"day": (255, 222, 70), "sunset": (255, 110, 60), "night": (240, 240, 220)}
    canvas.disc(x, y, 0.085, colours[time])
    return "a moon" if time == "night" else "a sun"


def _cloud(canvas: Canvas, x: float, y: float) -> None:
    for dx in (-0.07, 0.0, 0.07):
        canvas.ellipse(x + dx, y, 0.06, 0.05 - abs(dx) * 0.3, (252, 252, 255))


def _mountains(canvas: Canvas, random: Random, horizon: float, colour: Colour) -> None:
    for index in range(3):
        x = 0.15 + 0.33 * index + random.uniform(-0.07, 0.07)
        width, height = random.uniform(0.22, 0.34), random.uniform(0.22, 0.36)
        shade = mix(colour, BLACK, 0.12 * (index % 2))
        canvas.polygon([(x - width, horizon), (x, horizon - height), (x + width, horizon)], shade)
        snow = horizon - height * 0.73
        canvas.polygon([(x - width * 0.27, snow), (x, horizon - height), (x + width * 0.27, snow)], (246, 248, 252))


def _house(canvas: Canvas, x: float, y: float, width: float, colour: Colour) -> None:
    left, height = x - width / 2, width * 0.7
    canvas.box(left, y - height, left + width, y, colour)
    roof = [(left - width * 0.1, y - height), (x, y - height - width * 0.5), (left + width * 1.1, y - height)]
    canvas.polygon(roof, mix(colour, (60, 20, 10), 0.6))
    canvas.box(left + width * 0.4, y - height * 0.5, left + width * 0.6, y, (70, 42, 22))
    for offset in (0.12, 0.68):
        window = left + width * offset
        canvas.box(window, y - height * 0.8, window + width * 0.2, y - height * 0.5, (255, 240, 160))


def _tree(canvas: Canvas, x: float, y: float, width: float, colour: Colour) -> None:
    canvas.box(x - width * 0.08, y - width * 0.7, x + width * 0.08, y, (96, 60, 30))
    for dx, dy, radius in ((0.0, -1.05, 0.34), (-0.24, -0.8, 0.28), (0.24, -0.8, 0.28)):
        canvas.disc(x + dx * width, y + dy * width, radius * width, colour)


def _pine(canvas: Canvas, x: float, y: float, width: float, colour: Colour) -> None:
    canvas.box(x - width * 0.06, y - width * 0.3, x + width * 0.06, y, (90, 56, 30))
    for tier in range(3):
        half, base = width * (0.38 - 0.08 * tier), y - width * (0.2 + 0.32 * tier)
        shade = mix(colour, BLACK, 0.1 * (2 - tier))
        canvas.polygon([(x - half, base), (x, base - width * 0.55), (x + half, base)], shade)


def _boat(canvas: Canvas, x: float, y: float, width: float, colour: Colour) -> None:
    deck, keel = y - width * 0.12, y + width * 0.1
    hull = [(x - width / 2, deck), (x + width / 2, deck), (x + width * 0.32, keel), (x - width * 0.32, keel)]
    canvas.polygon(hull, colour)
    canvas.line((x, deck), (x, y - width * 0.85), 0.011, (70, 42, 22))
    sail = [
        (x + width * 0.04, y - width * 0.82),
        (x + width * 0.42, y - width * 0.2),
        (x + width * 0.04, y - width * 0.2),
    ]
    canvas.polygon(sail, (250, 250, 245))
