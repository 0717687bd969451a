"""A grammar for stories of seven or eight sentences in which what is sought at the start is found at the end."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hordenode.demo.storyworld import KINDS, Plot, wish, with_article

HIDING_PLACES = ("in a hollow tree", "beside an old well", "inside a small cave", "on top of a wall", "under a bridge")


def story(random: Random, plot: Plot, theme: str = "") -> list[str]:
    """Tell the story of a plot, sentence by sentence; one on a theme begins with it.

    Once introduced, people and things are "she", "her friend" and "it": a model this small cannot keep names apart.
    """
    if theme == "thing":
        return [_themed(plot, theme), *_losing(random, plot, named=False), _ending(random, plot)]
    opening = _themed(plot, theme) if theme else _opening(random, plot)
    return [opening, *COURSES[plot.course](random, plot), _ending(random, plot)]


def dialogue(random: Random, plot: Plot) -> str:
    """Write a dialogue of hero and friend about the plot's thing, a line for each turn."""
    hero, friend, it = plot.name, plot.friend, f"{plot.look} {plot.thing}"
    first = random.choice((f"Have you seen my {it}?", f"I lost my {it}.", f"My {it} is gone!"))
    second = random.choice(("No, where did you lose it?", "Oh no! When did you see it last?", "Let us look for it."))
    third = random.choice(("I had it this morning.", f"I think I left it {random.choice(HIDING_PLACES)}.", "I forgot."))
    fourth = random.choice((f"Look, here is your {plot.thing}!", f"I see the {plot.thing} over there!"))
    fifth = random.choice((f"Thank you, {friend}!", f"You are a good friend, {friend}."))
    sixth = random.choice((f"You are welcome, {hero}.", f"That is what friends are for, {hero}."))
    spoken = (first, second, third, fourth, fifth, sixth)
    return "\n".join(f"{(hero, friend)[index % 2]}: {line}" for index, line in enumerate(spoken))


def _themed(plot: Plot, theme: str) -> str:
    """The first words are those of the wish, so that they need not be remembered for long."""
    told = wish(plot, theme)
    return (
        told[0].upper()
        + told[1:]
        + {
            "name": f" was {with_article(plot.who)} who lived {plot.home}.",
            "kind": f" named {plot.name} lived {plot.home}.",
            "thing": f" was the treasure of {plot.name}, {with_article(plot.who)} who lived {plot.home}.",
            "place": f" was the home of {with_article(plot.who)} named {plot.name}.",
        }[theme]
    )


def _opening(random: Random, plot: Plot) -> str:
    who, name, home = with_article(plot.who), plot.name, plot.home
    return random.choice(
        (
            f"Once upon a time there was {who} named {name} who lived {home}.",
            f"Once upon a time, {home}, there lived {who} named {name}.",
            f"{name} was {who} who lived {home}.",
            f"There once was {who} who lived {home}, and {plot.their} name was {name}.",
        )
    )


def _finding(random: Random, plot: Plot) -> list[str]:
    they, it = plot.they, with_article(f"{plot.look} {plot.thing}")
    friend, other = f"{plot.their} friend {plot.friend}", random.choice(KINDS)
    return [
        random.choice(
            (
                f"One {plot.weather} morning {they} found {it} under a stone.",
                f"One {plot.weather} day {they} found {it} on the path.",
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
                f"At last they gave it back to the {other} who had lost it.",
                f"In the end they met an old {other} who had lost it and who thanked them.",
            )
        ),
    ]


def _losing(random: Random, plot: Plot, *, named: bool = True) -> list[str]:
    they, it = plot.they, f"{plot.their} {plot.look} {plot.thing}" if named else "it"
    return [
        random.choice(
            (
                f"On a {plot.weather} evening {they} lost {it}.",
                f"One {plot.weather} morning {it} was gone.",
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
        f"Every day {they} wished for {with_article(f'{plot.look} {plot.thing}')}.",
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


def _making(random: Random, plot: Plot) -> list[str]:
    they, it = plot.they, with_article(f"{plot.look} {plot.thing}")
    return [
        f"One {plot.weather} day {they} made {it} for {plot.their} friend {plot.friend}.",
        random.choice(
            (f"It took {plot.them} three days and three nights.", f"It was hard, but {they} did not give up.")
        ),
        f'"Who has made this?" asked {plot.their} friend.',
        f'"I have made it for you," {they} said.',
        _journey(random),
        "Everybody they met found it very beautiful.",
    ]


COURSES: dict[str, Callable[[Random, Plot], list[str]]] = {
    "found": _finding,
    "lost": _losing,
    "wished for": _wishing,
    "made": _making,
}


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
    they = plot.they
    return random.choice(
        (
            f"{they.capitalize()} was so happy that {they} sang all the way home.",
            "From that day on the two were best friends.",
            f"And {they} learned that it is good to have a friend.",
            f"{they.capitalize()} thanked {plot.their} friend, and they shared a warm pie.",
        )
    )
