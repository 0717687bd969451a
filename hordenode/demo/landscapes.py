"""Scenes: a sky, a ground with a road or a river, and up to four things that stand on it, swim or fly."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from hordenode.demo.palette import BLACK, COLOURS, WHITE, Canvas, Colour, Item, Picture, about, mix
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
# Half the size and the places (x) of one to four things; by a river, which runs in the middle, stand two at most.
RADII = {1: 6 / 32, 2: 6 / 32, 3: 4.5 / 32, 4: 3.5 / 32}
SLOTS = {1: (0.5,), 2: (9 / 32, 23 / 32), 3: (6 / 32, 0.5, 26 / 32), 4: (4 / 32, 12 / 32, 20 / 32, 28 / 32)}
PATTERNS = ((), (1,), (1,), (1,), (2,), (3,), (4,), (1, 1), (1, 1), (1, 2), (2, 1))
HORIZONS = (17 / 32, 18 / 32, 19 / 32)
CAPTIONS = 4
# The first caption says everything, so that pictures can be judged by it; in others a colour or a number may be unsaid.
UNSAID, UNCOUNTED = 0.15, 0.25
# A tree of the season's colour, and what may go without saying: a meadow.
UNSAID_IN_SEASON, UNSAID_MEADOW = 0.5, 0.4
OVER = {"meadow": ("a meadow", "a green meadow"), "sea": ("the sea",), "desert": ("the desert",), "snow": ("the snow",)}


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
        return Setting(time, ground, weather, season, feature, random.choice(HORIZONS))


def landscape_picture(random: Random, size: int) -> Picture:
    """Draw one scene and say what is in it."""
    setting, style = Setting.any(random), random.choices(STYLES, WEIGHTS)[0]
    canvas, groups = Canvas(size, WHITE, outline=style == OUTLINE), _groups(random, setting)
    items = tuple(item for same in groups for item in same)
    balloons = [item.x for item in items if item.kind == "balloon"]
    seen = draw_sky(canvas, random, setting.time, setting.weather, setting.horizon, balloons)
    _ground(canvas, random, setting)
    for item in items:
        colour = mix(COLOURS[item.colour], DUSK, DARKNESS[setting.time] * 0.5)
        THINGS[item.kind].draw(canvas, item.x, item.y, item.radius, colour)
    draw_weather(canvas, random, setting.weather)
    sentences = [_sentence(random, setting, seen, groups, exact=number == 0) for number in range(CAPTIONS)]
    captions = tuple(worded(random, sentence, style) for sentence in sentences)
    named = {setting.time, setting.ground, setting.weather, setting.season, setting.feature, style, *seen}
    return Picture(finish(canvas.pixels(), style, random), captions, items, frozenset(named - {""}))


def _ground(canvas: Canvas, random: Random, setting: Setting) -> None:
    base, horizon = setting.colour, setting.horizon
    dark = DARKNESS[setting.time]
    if setting.feature == "hills":
        draw_hills(canvas, random, horizon, base)
    canvas.gradient(horizon, 1, mix(base, WHITE, 0.12), mix(base, BLACK, 0.15))
    if setting.ground == "sea":
        for index in range(10):
            x, y = about(random, random.random()), horizon + 0.03 + (1 - horizon) * index / 10
            canvas.line((x, y), (x + 0.09, y), 0.01, mix(base, WHITE, 0.3))
    if setting.feature == "road":
        canvas.box(-0.1, 0.84, 1.1, 0.96, mix(ROAD, DUSK, dark))
        for index in range(6):
            canvas.line((index / 6, 0.9), (index / 6 + 0.08, 0.9), 0.012, mix(WHITE, DUSK, dark))
    if setting.feature == "river":
        bank = [(0.46, horizon), (0.54, horizon), (0.7, 1.0), (0.3, 1.0)]
        canvas.polygon(bank, mix(WATER, DUSK, dark))


def _groups(random: Random, setting: Setting) -> list[list[Item]]:
    """What stands in the scene, equal things together; the left ones come first."""
    river = setting.feature == "river"
    pattern = random.choice([pattern for pattern in PATTERNS if sum(pattern) <= 2 or not river])
    slots, groups, at = SLOTS.get(sum(pattern), ()), list[list[Item]](), 0
    if river and sum(pattern) == 1:
        slots = (random.choice(SLOTS[2]),)
    radius = RADII.get(sum(pattern), 0.0)
    aside, used = about(random, 0), set[str]()
    for count in pattern:
        kind = _kind(random, setting, used)
        used.add(kind)
        colour = (
            SEASONS[setting.season][0] if kind == "tree" and setting.season else random.choice(THINGS[kind].colours)
        )
        base = setting.horizon + 5 / 32 if setting.feature != "road" or kind != "car" else 0.94
        middle = about(random, 0.235, 0) if kind == "balloon" else base - radius
        groups.append([Item(kind, colour, x + aside, middle, radius) for x in slots[at : at + count]])
        at += count
    return groups


def _kind(random: Random, setting: Setting, used: set[str]) -> str:
    fitting = {
        "sea": ("boat", "boat", "boat", "balloon"),
        "desert": ("house", "tree", "car", "balloon", "cat", "person"),
    }
    land = ("house", "house", "tree", "pine", "pine", "car", "balloon", "balloon", "cat", "person")
    kinds = fitting.get(setting.ground, land) + (("car",) * 4 if setting.feature == "road" else ())
    return random.choice([kind for kind in kinds if kind not in used] or ["balloon"])


def _sentence(random: Random, setting: Setting, seen: list[str], groups: list[list[Item]], *, exact: bool) -> str:
    """'two red houses and a tree, mountains and clouds, in a meadow at sunset in autumn', in one of many orders."""
    words = [_group(random, items, setting, exact=exact) for items in groups]
    scenery, place = [*seen, setting.feature], random.choice(WHERE[setting.ground])
    if setting.ground == "meadow" and (groups or seen or setting.feature) and random.random() < UNSAID_MEADOW:
        place = ""
    if len(groups) == 2 and random.random() < 0.5:
        things = [_beside(random, groups, words)]
    else:
        things, place = _placed(random, setting, groups, words, scenery, place)
    phrases = [_scenery(random, word) for word in random.sample(scenery, len(scenery)) if word]
    together = [*things, *phrases] if random.random() < 0.75 else [*phrases, *things]
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


def _group(random: Random, items: list[Item], setting: Setting, *, exact: bool) -> str:
    kind, colour = items[0].kind, items[0].colour
    if exact:
        return group(random, kind, colour, len(items))
    unsaid = UNSAID_IN_SEASON if kind == "tree" and setting.season else UNSAID
    return group(random, kind, colour, len(items), unsaid, UNCOUNTED)


def _scenery(random: Random, word: str) -> str:
    if word in ("sun", "moon"):
        return random.choice((f"a {word}", f"the {word}"))
    return article(word) if word in ("road", "river") else word


def _placed(
    random: Random, setting: Setting, groups: list[list[Item]], words: list[str], scenery: list[str], place: str
) -> tuple[list[str], str]:
    """Say of some cars that they are on the road, and of balloons what they are above; returns things and place.

    What is said there is taken out of the scenery.
    """
    things = []
    for items, what in zip(groups, words, strict=True):
        kind, said = items[0].kind, what
        if kind == "car" and "road" in scenery and random.random() < 0.6:
            scenery.remove("road")
            said = f"{what} on {random.choice(('a', 'the'))} road"
        if kind == "balloon" and random.random() < 0.5:
            below = [word for word in ("mountains", "hills", "road", "river") if word in scenery]
            above = random.choice(("above", "over"))
            if below and random.random() < 0.7:
                scenery.remove(word := random.choice(below))
                said = f"{what} {above} {_scenery(random, word)}"
            else:
                said, place = f"{what} {above} {random.choice(OVER[setting.ground])}", ""
        things.append(said)
    return things, place


def _beside(random: Random, groups: list[list[Item]], words: list[str]) -> str:
    """Two groups in their relation: a balloon is above, everything else left or right."""
    (first, second), (left, right) = groups, words
    if second[0].kind == "balloon":
        first, left, right = second, right, left
    if first[0].kind == "balloon":
        return f"{left} {random.choice(('above', 'over'))} {right}"
    if random.random() < 0.5:
        return f"{left} left of {right}"
    return f"{right} right of {left}"
