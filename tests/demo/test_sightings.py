"""What the judge reads from its map, and how it compares that with a prompt."""

from __future__ import annotations

import numpy as np

from hordenode.demo.eval_prompts import prompts, summed
from hordenode.demo.palette import Item, Picture
from hordenode.demo.sightings import (
    CHANNELS,
    GRID,
    Sighting,
    Verdict,
    judged,
    relation_of,
    sightings,
    target_map,
)

CIRCLE = Item("circle", "red", 0.5, 0.26, 0.18)
SQUARE = Item("square", "blue", 0.5, 0.74, 0.18)


def picture(*items: Item) -> Picture:
    return Picture(np.zeros((4, 4, 3), np.uint8), (), items)


def seen(*items: Item) -> list[Sighting]:
    return [Sighting(item.kind, item.colour, item.x, item.y) for item in items]


def test_a_perfect_map_is_read_as_drawn() -> None:
    for drawn, _ in prompts(40):
        found = sightings(target_map(drawn.items) * 0.9)
        assert sorted((s.kind, s.colour) for s in found) == sorted((i.kind, i.colour) for i in drawn.items)
        for item in drawn.items:
            assert any(max(abs(s.x - item.x), abs(s.y - item.y)) < 1 / GRID for s in found)


def test_a_second_guess_of_the_same_thing_is_left_out() -> None:
    probability = target_map((CIRCLE,)) * 0.9
    probability[CHANNELS.index(("heart", "red")), 4, 8] = 0.6
    probability[CHANNELS.index(("circle", "red")), 4, 9] = 0.7
    assert [(s.kind, s.colour) for s in sightings(probability)] == [("circle", "red")]


def test_doubt_is_not_a_sighting() -> None:
    assert sightings(target_map((CIRCLE, SQUARE)) * 0.4) == []


def test_right_pictures_pass() -> None:
    verdict = judged(picture(CIRCLE, SQUARE), "a red circle above a blue square", seen(CIRCLE, SQUARE))
    assert verdict == Verdict((2, 2), (2, 2), (2, 2), (1, 1))


def test_what_is_missing_swapped_or_too_many_is_told() -> None:
    asked, caption = picture(CIRCLE, SQUARE), "a red circle above a blue square"
    assert judged(asked, caption, seen(CIRCLE)) == Verdict((1, 2), (1, 2), (1, 2), (0, 1))
    swapped = seen(Item("circle", "red", 0.5, 0.74, 0.18), Item("square", "blue", 0.5, 0.26, 0.18))
    assert judged(asked, caption, swapped).relation == (0, 1)
    assert judged(asked, caption, seen(CIRCLE, CIRCLE, SQUARE)).count == (1, 2)
    green = seen(Item("circle", "green", 0.5, 0.26, 0.18), SQUARE)
    assert judged(asked, caption, green) == Verdict((2, 2), (1, 2), (2, 2), (0, 1))


def test_inside_means_together() -> None:
    inner, outer = Item("star", "red", 0.5, 0.5, 0.15), Item("square", "blue", 0.52, 0.5, 0.38)
    caption = "a red star inside a blue square"
    assert judged(picture(outer, inner), caption, seen(outer, inner)).relation == (1, 1)
    beside = Item("star", "red", 0.2, 0.5, 0.15)
    assert judged(picture(outer, inner), caption, seen(outer, beside)).relation == (0, 1)


def test_relations_are_read_from_captions() -> None:
    assert relation_of("a red circle to the left of a blue square") == "to the left of"
    assert relation_of("two boats in the snow") == ""
    assert relation_of("a red leftover") == ""


def test_verdicts_add_up() -> None:
    total = summed([Verdict((1, 2), (0, 2), (1, 1), (0, 0)), Verdict((1, 1), (1, 1), (0, 1), (1, 1))])
    assert total == {"present": (2, 3), "colour": (1, 3), "count": (1, 2), "relation": (1, 1)}


def test_measured_prompts_show_something_countable() -> None:
    asked = prompts(30)
    assert len({caption for _, caption in asked}) == 30
    assert all(drawn.items and caption in drawn.captions for drawn, caption in asked)
