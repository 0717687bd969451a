"""What counts as a right caption."""

from __future__ import annotations

import numpy as np

from hordenode.demo.draw import draw_picture
from hordenode.demo.eval_captioner import named
from hordenode.demo.eval_prompts import scaled
from hordenode.demo.palette import Item

ITEMS = (Item("house", "red", 0.3, 0.7, 0.1), Item("house", "red", 0.7, 0.7, 0.1), Item("pine", "green", 0.5, 0.7, 0.1))


def test_captions_of_drawings_are_right() -> None:
    for seed in range(150):
        picture = draw_picture(seed, 16)
        if picture.items:
            # The first one says everything.
            assert named(picture.captions[0], picture.items) == (True, True, True), picture.captions[0]


def test_what_is_not_said_is_told() -> None:
    assert named("two red houses and a pine tree", ITEMS) == (True, True, True)
    assert named("two red houses", ITEMS) == (False, True, True)
    assert named("two blue houses and a pine", ITEMS) == (True, False, True)
    assert named("a red house and a fir tree", ITEMS) == (True, True, False)


def test_pictures_are_scaled_for_the_network() -> None:
    values = scaled(np.full((256, 256, 3), 255, np.uint8))
    assert values.shape == (1, 3, 64, 64)
    assert values.min() == values.max() == 1
