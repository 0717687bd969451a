"""The pictures show what their captions say."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from hordenode.demo.draw import draw_picture
from hordenode.demo.eval_image import RELATIONS, Relation, Single, holds, is_shape, mask_of
from hordenode.demo.landscapes import landscape_picture
from hordenode.demo.palette import COLOURS, WHITE, Canvas, Picture, mix
from hordenode.demo.shapes import (
    ABOVE,
    BELOW,
    LEFT,
    RIGHT,
    SHAPES,
    Shape,
    background_colour,
    draw_shape,
    relation_phrases,
    shapes_picture,
)

SIZE = 64


def shapes_on_white(count: int) -> list[tuple[Picture, str]]:
    """Pictures on white with one of their captions each: other backgrounds are always named."""
    pictures = (shapes_picture(Random(seed), SIZE) for seed in range(count))
    return [(p, caption) for p in pictures for caption in p.captions if "background" not in caption]


def test_same_seed_same_picture() -> None:
    for seed in range(12):
        first, second = draw_picture(seed, SIZE), draw_picture(seed, SIZE)
        assert first.captions == second.captions
        assert np.array_equal(first.pixels, second.pixels)


def test_seeds_differ() -> None:
    assert len({draw_picture(seed, SIZE).pixels.tobytes() for seed in range(40)}) == 40


def test_pictures_are_square_rgb_with_captions() -> None:
    for seed in range(40):
        picture = draw_picture(seed, SIZE)
        assert picture.pixels.shape == (SIZE, SIZE, 3)
        assert picture.pixels.dtype == np.uint8
        assert picture.captions
        assert all(caption and caption == caption.strip() for caption in picture.captions)


def test_relations_hold_in_the_pixels() -> None:
    checked = dict.fromkeys((*ABOVE, *BELOW, *LEFT, *RIGHT), 0)
    for picture, caption in shapes_on_white(400):
        for relation in sorted(checked, key=len, reverse=True):
            if f" {relation} " not in caption:
                continue
            first, second = (part.split()[-2] for part in caption.split(f" {relation} "))
            if first != second:
                if relation in BELOW + RIGHT:
                    first, second = second, first
                assert holds(picture.pixels, Relation(caption, first, second, int(relation in LEFT + RIGHT))), caption
                checked[relation] += 1
            break
    assert min(checked.values()) > 5, checked


def test_singles_have_their_colour_and_kind() -> None:
    checked = 0
    for picture, caption in shapes_on_white(200):
        words = caption.split()
        if words[-1] in SHAPES and len(words) <= 4 and "picture" not in words and "drawing" not in words:
            assert is_shape(picture.pixels, Single(words[-2], words[-1])), caption
            checked += 1
    assert checked > 20


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.prompt)
def test_measurement_tells_right_from_wrong(relation: Relation) -> None:
    canvas = Canvas(SIZE, WHITE)
    places = ((0.5, 0.25), (0.5, 0.75)) if relation.axis == 0 else ((0.25, 0.5), (0.75, 0.5))
    for colour, (x, y) in zip((relation.first, relation.second), places, strict=True):
        draw_shape(canvas, Shape("circle", colour, x, y, 0.18))
    right = canvas.pixels()
    assert holds(right, relation)
    assert not holds(np.flip(right, axis=relation.axis).copy(), relation)
    assert not holds(np.full_like(right, 255), relation)


def test_phrases_see_the_relation_from_both_sides() -> None:
    upper, lower = Shape("circle", "red", 0.5, 0.3, 0.2), Shape("square", "orange", 0.5, 0.7, 0.2)
    phrases = relation_phrases(Random(0), upper, lower, vertical=True)
    assert "a red circle above an orange square" in phrases
    assert "an orange square below a red circle" in phrases


def test_backgrounds_keep_every_other_colour_visible() -> None:
    for name in ("yellow", "pink", "blue", "green"):
        pixels = Canvas(SIZE, background_colour(name)).pixels()
        for colour in COLOURS:
            if colour != name:
                assert mask_of(pixels, colour).mean() == 0


def test_landscapes_name_what_they_show() -> None:
    for seed in range(60):
        picture = landscape_picture(Random(seed), SIZE)
        sky = picture.pixels[0].mean()
        night = ["night" in caption for caption in picture.captions]
        assert all(night) or not any(night)
        assert (sky < 40) == night[0]


def test_colours_mix_by_share() -> None:
    assert mix((0, 0, 0), (100, 200, 50), 0.5) == (50, 100, 25)
