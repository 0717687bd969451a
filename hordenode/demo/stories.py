"""A grammar for stories of six or seven sentences in which what is lost at the start is found at the end."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

# Every name with the pronouns of its bearer.
SHE, HE = ("she", "her", "her"), ("he", "his", "him")
NAMES = {
    **dict.fromkeys(("Mira", "Lena", "Nia", "Ada", "Rosa", "Juno", "Clara", "Ivy"), SHE),
    **dict.fromkeys(("Tom", "Otto", "Paul", "Finn", "Emil", "Karl", "Hugo", "Leo"), HE),
}
NATURES = ("small", "brave", "quiet", "clever", "young", "happy", "shy", "curious", "friendly", "patient")
KINDS = ("fox", "cat", "robot", "dragon", "sailor", "baker", "rabbit", "owl", "painter", "gardener")
HOMES = (
    "in a green valley",
    "by the cold sea",
    "near a dark forest",
    "on a high mountain",
    "in a busy town",
    "at the edge of the desert",
    "in a house with a red roof",
    "beside a wide river",
)
THINGS = ("lantern", "key", "map", "boat", "kite", "book", "bell", "drum", "compass", "violin")
LOOKS = ("red", "blue", "golden", "silver", "green", "wooden", "shiny")
WEATHERS = ("sunny", "rainy", "windy", "snowy", "foggy", "quiet", "cold", "warm")
HIDING_PLACES = ("in a hollow tree", "beside an old well", "inside a small cave", "on top of a wall", "under a bridge")


@dataclass(frozen=True)
class Hero:
    """The one the story is about."""

    name: str
    nature: str
    kind: str

    @staticmethod
    def any(random: Random) -> Hero:
        """Pick a hero."""
        return Hero.named(random, random.choice(tuple(NAMES)))

    @staticmethod
    def named(random: Random, name: str) -> Hero:
        """Pick everything but the name."""
        return Hero(name, random.choice(NATURES), random.choice(KINDS))


@dataclass(frozen=True)
class Plot:
    """What a story is made of; the sentences below only pick the wording."""

    hero: Hero
    friend: str
    home: str
    thing: str
    look: str
    weather: str

    @property
    def who(self) -> str:
        """The hero in two words: 'brave fox'."""
        return f"{self.hero.nature} {self.hero.kind}"

    @property
    def they(self) -> str:
        """The hero as a subject: she or he."""
        return NAMES[self.hero.name][0]

    @property
    def their(self) -> str:
        """The hero's possessive: her or his."""
        return NAMES[self.hero.name][1]

    @property
    def them(self) -> str:
        """The hero as an object: her or him."""
        return NAMES[self.hero.name][2]


def story(random: Random, hero: Hero, *, asked_for: bool = False) -> str:
    """Tell a story about the hero; one that was asked for by name starts with the name.

    Once introduced, people and things are "she", "her friend" and "it": a model this small cannot keep names apart.
    """
    friend = random.choice([name for name in NAMES if name != hero.name])
    home, thing = random.choice(HOMES), random.choice(THINGS)
    plot = Plot(hero, friend, home, thing, random.choice(LOOKS), random.choice(WEATHERS))
    opening = f"{hero.name} was a {plot.who} who lived {home}." if asked_for else _opening(random, plot)
    course = random.choice((_finding, _losing, _wishing))
    return " ".join([opening, *course(random, plot), _ending(random, plot)])


def _opening(random: Random, plot: Plot) -> str:
    who, name, home = plot.who, plot.hero.name, plot.home
    return random.choice(
        (
            f"Once upon a time there was a {who} named {name} who lived {home}.",
            f"Once upon a time, {home}, there lived a {who} named {name}.",
            f"{name} was a {who} who lived {home}.",
            f"There once was a {who} who lived {home}, and {plot.their} name was {name}.",
        )
    )


def _finding(random: Random, plot: Plot) -> list[str]:
    they, friend, it = plot.they, f"{plot.their} friend {plot.friend}", f"{plot.look} {plot.thing}"
    return [
        random.choice(
            (
                f"One {plot.weather} morning {they} found a {it} under a stone.",
                f"One {plot.weather} day {they} found a {it} on the path.",
            )
        ),
        random.choice(
            (
                f'{they.capitalize()} asked {friend}, "Do you know whose this is?"',
                f'"This must belong to somebody," {they} said to {friend}.',
            )
        ),
        _help(random, plot),
        _journey(random),
        random.choice(
            (
                f"At last they gave it back to the {random.choice(KINDS)} who had lost it.",
                f"In the end they met an old {random.choice(KINDS)} who had lost it and who thanked them.",
            )
        ),
    ]


def _losing(random: Random, plot: Plot) -> list[str]:
    they, it = plot.they, f"{plot.look} {plot.thing}"
    return [
        random.choice(
            (
                f"On a {plot.weather} evening {they} lost {plot.their} {it}.",
                f"One {plot.weather} morning {plot.their} {it} was gone.",
            )
        ),
        f"{they.capitalize()} looked under the bed, behind the door and in the garden.",
        f'Then {they} asked {plot.their} friend {plot.friend}, "Have you seen it?"',
        _help(random, plot),
        _journey(random),
        f"At last they found it {random.choice(HIDING_PLACES)}.",
    ]


def _wishing(random: Random, plot: Plot) -> list[str]:
    they = plot.they
    return [
        f"Every day {they} wished for a {plot.look} {plot.thing}.",
        f'"Where can I get one?" {they} asked {plot.their} friend {plot.friend}.',
        _help(random, plot),
        _journey(random),
        random.choice(
            (
                f"At last they met an old {random.choice(KINDS)} who gave {plot.them} one.",
                f"At last they found one {random.choice(HIDING_PLACES)}.",
            )
        ),
    ]


def _help(random: Random, plot: Plot) -> str:
    friend = f"{plot.their} friend"
    return random.choice(
        (
            f'{friend.capitalize()} smiled and said, "Let us go together."',
            f"{friend.capitalize()} thought for a moment and pointed to the hill.",
            f'"I can help you," said {friend}.',
            f'"Two can see more than one," said {friend}.',
        )
    )


def _journey(random: Random) -> str:
    return random.choice(
        (
            "So the two friends walked until the sun went down.",
            "They followed the river and crossed an old bridge.",
            "They walked all night and counted the stars.",
            "They climbed the hill and looked around.",
            "They asked everyone they met on the way.",
        )
    )


def _ending(random: Random, plot: Plot) -> str:
    they, friend = plot.they, f"{plot.their} friend"
    return random.choice(
        (
            f"{they.capitalize()} was so happy that {they} sang all the way home.",
            "From that day on the two were best friends.",
            f"And {they} learned that it is good to ask a friend for help.",
            f"{they.capitalize()} thanked {friend}, and they shared a warm pie.",
        )
    )
