"""Scenes: a sky, a ground with a road or a river, and up to four things that stand on it, swim or fly."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from hordenode.demo.palette import BLACK, COLOURS, WHITE, Canvas, Colour, Item, Picture, mix
from hordenode.demo.skies import DARKNESS, DUSK, SKIES, draw_hills, draw_sky, draw_weather
from hordenode.demo.styles import OUTLINE, STYLES, WEIGHTS, finish
from hordenode.demo.things import THINGS
from hordenode.demo.wording import article, group, listed, worded

GROUNDS: dict[str, Colour] = {
    "meadow": (98, 176, 74),
    "sea": (28, 104, 176),
    "desert": (230, 196, 120),
    "snow": (236, 242, 250),
}
WATER: Colour = (52, 132, 206)
ROAD: Colour = (110, 110, 118)

WHEN = {
    "day": ("by day", "on a sunny day", "at noon", "", "", ""),
    "morning": ("in the morning", "at dawn", "early in the morning"),
    "sunset": ("at sunset", "in the evening"),
    "night": ("at night", "in the night"),
    "fog": ("in fog", "on a foggy day", "in the fog"),
}
WHERE = {
    "meadow": ("in a green meadow", "in a meadow", "on the grass"),
    "sea": ("on the sea", "at sea", "on the water"),
    "desert": ("in the desert", "in a desert"),
    "snow": ("in the snow", "in a snowy field"),
}
# A season shows in trees and ground; where it does not show it is not named.
SEASONS: dict[str, tuple[str, str]] = {
    "spring": ("pink", "meadow"),
    "summer": ("green", "meadow"),
    "autumn": ("orange", "meadow"),
    "winter": ("white", "snow"),
}
AUTUMN_GROUND: Colour = (176, 150, 70)
RADIUS, SMALL_RADIUS = 0.16, 0.115
SLOTS = {1: (0.5,), 2: (0.28, 0.72), 3: (0.2, 0.5, 0.8), 4: (0.14, 0.38, 0.62, 0.86)}
CAPTIONS = 4


@dataclass(frozen=True)
class Setting:
    """What a scene is made of before anything stands in it."""

    time: str
    ground: str
    weather: str
    season: str
    feature: str
    horizon: float

    @property
    def colour(self) -> Colour:
        """The ground's colour at this time."""
        base = AUTUMN_GROUND if self.season == "autumn" else GROUNDS[self.ground]
        return mix(base, DUSK, DARKNESS[self.time])

    @staticmethod
    def any(random: Random) -> Setting:
        """Pick one in which everything fits together."""
        season = random.choice(tuple(SEASONS)) if random.random() < 0.25 else ""
        ground = SEASONS[season][1] if season else random.choice(("meadow", "meadow", "sea", "sea", "desert", "snow"))
        time = "day" if season == "summer" else random.choice(tuple(SKIES))
        weather = "clear"
        if time != "fog" and season != "summer" and random.random() < 0.22:
            weather = "snowfall" if ground == "snow" else "rain" if ground in ("meadow", "sea") else "clear"
        features = {"meadow": ("", "", "road", "river", "hills"), "desert": ("", "road"), "snow": ("", "road", "hills")}
        feature = random.choice(features.get(ground, ("",)))
        return Setting(time, ground, weather, season, feature, random.uniform(0.54, 0.6))


def landscape_picture(random: Random, size: int) -> Picture:
    """Draw one scene and say what is in it."""
    setting, style = Setting.any(random), random.choices(STYLES, WEIGHTS)[0]
    canvas = Canvas(size, WHITE, outline=style == OUTLINE)
    seen = draw_sky(canvas, random, setting.time, setting.weather, setting.horizon)
    _ground(canvas, random, setting)
    groups = _groups(random, setting)
    for item in (item for items in groups for item in items):
        colour = mix(COLOURS[item.colour], DUSK, DARKNESS[setting.time] * 0.5)
        THINGS[item.kind].draw(canvas, item.x, item.y, item.radius, colour)
    draw_weather(canvas, random, setting.weather)
    captions = tuple(worded(random, _sentence(random, setting, seen, groups), style) for _ in range(CAPTIONS))
    named = {setting.time, setting.ground, setting.weather, setting.season, setting.feature, style, *seen}
    items = tuple(item for items in groups for item in items)
    return Picture(finish(canvas.pixels(), style, random), captions, items, frozenset(named - {""}))


def _ground(canvas: Canvas, random: Random, setting: Setting) -> None:
    base, horizon = setting.colour, setting.horizon
    dark = DARKNESS[setting.time]
    if setting.feature == "hills":
        draw_hills(canvas, random, horizon, base)
    canvas.gradient(horizon, 1, mix(base, WHITE, 0.12), mix(base, BLACK, 0.15))
    if setting.ground == "sea":
        for index in range(10):
            x, y = random.random(), horizon + 0.03 + (1 - horizon) * index / 10
            canvas.line((x, y), (x + 0.09, y), 0.01, mix(base, WHITE, 0.3))
    if setting.feature == "road":
        canvas.box(-0.1, 0.84, 1.1, 0.96, mix(ROAD, DUSK, dark))
        for index in range(6):
            canvas.line((index / 6, 0.9), (index / 6 + 0.08, 0.9), 0.012, mix(WHITE, DUSK, dark))
    if setting.feature == "river":
        x = random.choice((0.3, 0.7))
        bank = [(x - 0.03, horizon), (x + 0.03, horizon), (x + 0.22, 1.0), (x - 0.12, 1.0)]
        canvas.polygon(bank, mix(WATER, DUSK, dark))


def _groups(random: Random, setting: Setting) -> list[list[Item]]:
    """What stands in the scene, equal things together; the left ones come first."""
    pattern = random.choice(((), (1,), (1,), (1,), (2,), (3,), (4,), (1, 1), (1, 1), (1, 2), (2, 1)))
    slots, groups, at = SLOTS.get(sum(pattern), ()), list[list[Item]](), 0
    radius = RADIUS if sum(pattern) < 3 else SMALL_RADIUS
    used: set[str] = set()
    for count in pattern:
        kind = _kind(random, setting, used)
        used.add(kind)
        colour = (
            SEASONS[setting.season][0] if kind == "tree" and setting.season else random.choice(THINGS[kind].colours)
        )
        base = setting.horizon + random.uniform(0.14, 0.2) if setting.feature != "road" or kind != "car" else 0.94
        middle = random.uniform(0.26, 0.34) if kind == "balloon" else base - radius
        groups.append(
            [Item(kind, colour, x + random.uniform(-0.02, 0.02), middle, radius) for x in slots[at : at + count]]
        )
        at += count
    return groups


def _kind(random: Random, setting: Setting, used: set[str]) -> str:
    fitting = {
        "sea": ("boat", "boat", "boat", "balloon"),
        "desert": ("house", "tree", "car", "balloon", "cat", "person"),
    }
    land = ("house", "house", "tree", "pine", "car", "balloon", "cat", "person")
    return random.choice([kind for kind in fitting.get(setting.ground, land) if kind not in used] or ["balloon"])


def _sentence(random: Random, setting: Setting, seen: list[str], groups: list[list[Item]]) -> str:
    """'two red houses and a tree, mountains and clouds, in a meadow at sunset in autumn', in one of many orders."""
    things = [group(random, items[0].kind, items[0].colour, len(items)) for items in groups if items]
    if len(groups) == 2 and random.random() < 0.5:
        things = [_beside(random, groups)]
    scenery = [random.choice((f"a {word}", f"the {word}")) if word in ("sun", "moon") else word for word in seen]
    scenery += [setting.feature if setting.feature == "hills" else article(setting.feature)] if setting.feature else []
    phrases = random.sample(scenery, len(scenery))
    together = [*things, *phrases] if random.random() < 0.75 else [*phrases, *things]
    place = random.choice(WHERE[setting.ground])
    if not together and setting.ground == "sea":
        together, place = ["the sea"], ""
    weather = {"rain": ("in the rain", "with rain"), "snowfall": ("in falling snow", "with snow falling")}
    parts = [
        listed(together),
        "" if setting.season and random.random() < 0.6 else place,
        random.choice(WHEN[setting.time]),
        random.choice(weather[setting.weather]) if setting.weather in weather else "",
        f"in {setting.season}" if setting.season else "",
    ]
    return " ".join(part for part in parts if part) or "a view"


def _beside(random: Random, groups: list[list[Item]]) -> str:
    """Two groups in their relation: a balloon is above, everything else left or right."""
    first, second = groups
    if second[0].kind == "balloon":
        first, second = second, first
    words = [group(random, items[0].kind, items[0].colour, len(items)) for items in (first, second)]
    if first[0].kind == "balloon":
        return f"{words[0]} {random.choice(('above', 'over'))} {words[1]}"
    if random.random() < 0.5:
        return f"{words[0]} left of {words[1]}"
    return f"{words[1]} right of {words[0]}"
