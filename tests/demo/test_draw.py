"""The pictures show what their captions say."""

from __future__ import annotations

import re
from random import Random

import numpy as np
import pytest

from hordenode.demo.draw import draw_picture
from hordenode.demo.eval_image import RELATIONS, Relation, Single, holds, is_shape, mask_of
from hordenode.demo.figures import background_colour, figures_picture, relation_phrases
from hordenode.demo.landscapes import landscape_picture
from hordenode.demo.palette import COLOURS, WHITE, Canvas, Item, Picture, mix
from hordenode.demo.styles import BLOCKS, FLAT, OUTLINE, PIXEL_ART, STYLES, WATERCOLOUR, finish
from hordenode.demo.things import KINDS, SHAPES
from hordenode.demo.wording import ABOVE, BELOW, LEFT, NUMBERS, RIGHT, group, worded

SIZE = 64
PLAIN = {"white background", FLAT}


def plain_figures(count: int) -> list[Picture]:
    """Flat pictures of figures on white."""
    return [p for p in (figures_picture(Random(seed), SIZE) for seed in range(count)) if p.tags == PLAIN]


def test_same_seed_same_picture() -> None:
    for seed in range(12):
        first, second = draw_picture(seed, SIZE), draw_picture(seed, SIZE)
        assert first.captions == second.captions
        assert np.array_equal(first.pixels, second.pixels)


def test_seeds_differ() -> None:
    assert len({draw_picture(seed, SIZE).pixels.tobytes() for seed in range(60)}) == 60


def test_pictures_are_square_rgb_with_captions() -> None:
    for seed in range(60):
        picture = draw_picture(seed, SIZE)
        assert picture.pixels.shape == (SIZE, SIZE, 3)
        assert picture.pixels.dtype == np.uint8
        assert all(re.fullmatch(r"\w[\w, -]*\w", caption) for caption in picture.captions), picture.captions
        assert not any("  " in caption or " ," in caption for caption in picture.captions)


def test_relations_hold_in_the_pixels() -> None:
    checked = dict.fromkeys((*ABOVE, *BELOW, *LEFT, *RIGHT), 0)
    for picture in plain_figures(4000):
        if len(picture.items) != 2 or not {item.kind for item in picture.items} <= set(SHAPES):
            continue
        for caption in picture.captions:
            relation = next((r for r in sorted(checked, key=len, reverse=True) if f" {r} " in caption), None)
            if relation is None:
                continue
            first, second = (_colour(part) for part in caption.split(f" {relation} "))
            if first != second:
                upper, lower = (second, first) if relation in BELOW + RIGHT else (first, second)
                axis = int(relation in LEFT + RIGHT)
                assert holds(picture.pixels, Relation(caption, upper, lower, axis)), caption
                checked[relation] += 1
    assert min(checked.values()) > 3, checked


def _colour(words: str) -> str:
    found = [
        name
        for name in COLOURS
        if re.search(rf"\b{name}\b", words.split(" on ", maxsplit=1)[0].split(", ", maxsplit=1)[0])
    ]
    assert len(found) == 1, words
    return found[0]


def test_items_stand_where_they_are_said_to() -> None:
    checked = 0
    for picture in plain_figures(400):
        for item in picture.items:
            nested = len({(other.x, other.y) for other in picture.items}) < len(picture.items)
            if item.kind in SHAPES and not nested:
                pixel = picture.pixels[round(item.y * SIZE), round(item.x * SIZE)]
                assert np.abs(pixel.astype(int) - COLOURS[item.colour]).max() <= 2, picture.captions
                checked += 1
    assert checked > 60


def test_counts_are_named() -> None:
    checked = set()
    for picture in plain_figures(300):
        if len({(item.kind, item.colour) for item in picture.items}) == 1 and len(picture.items) > 1:
            count = len(picture.items)
            checked.add(count)
            for caption in picture.captions:
                assert re.search(rf"\b({count}|{NUMBERS[count]})\b", caption), caption
    assert checked == {2, 3, 4}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn_in_its_colours(kind: str) -> None:
    for name in KINDS[kind].colours:
        canvas = Canvas(SIZE, background_colour("grey"))
        KINDS[kind].draw(canvas, 0.5, 0.5, 0.35, COLOURS[name])
        mask = mask_of(canvas.pixels(), name)
        assert mask.mean() > 0.03, name
        rows, columns = np.nonzero(mask)
        assert abs(columns.mean() / SIZE - 0.5) < 0.12
        assert rows.min() / SIZE > 0.1
        assert rows.max() / SIZE < 0.9


def test_styles_look_different() -> None:
    canvas = Canvas(SIZE, WHITE)
    canvas.disc(0.5, 0.5, 0.3, COLOURS["red"])
    drawn = canvas.pixels()
    assert finish(drawn, FLAT, Random(0)) is drawn
    assert finish(drawn, OUTLINE, Random(0)) is drawn
    blocks = finish(drawn, PIXEL_ART, Random(0)).reshape(BLOCKS, SIZE // BLOCKS, BLOCKS, SIZE // BLOCKS, 3)
    assert (blocks == blocks[:, :1, :, :1]).all()
    washed = finish(drawn, WATERCOLOUR, Random(0))
    assert washed[SIZE // 2, SIZE // 2, 1] > drawn[SIZE // 2, SIZE // 2, 1]  # paper shines through
    lines = Canvas(SIZE, WHITE, outline=True)
    lines.disc(0.5, 0.5, 0.3, COLOURS["red"])
    assert lines.pixels().mean() > drawn.mean() + 30


def test_a_style_other_than_flat_is_named() -> None:
    for style in STYLES:
        captions = [worded(Random(seed), "a red circle", style) for seed in range(40)]
        word = {OUTLINE: "line", WATERCOLOUR: "watercolo", PIXEL_ART: "pixel art"}.get(style)
        assert style == FLAT or all(word is not None and word in caption for caption in captions)
        assert all("a red circle" in caption for caption in captions)


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.prompt)
def test_measurement_tells_right_from_wrong(relation: Relation) -> None:
    canvas = Canvas(SIZE, WHITE)
    places = ((0.5, 0.25), (0.5, 0.75)) if relation.axis == 0 else ((0.25, 0.5), (0.75, 0.5))
    for colour, (x, y) in zip((relation.first, relation.second), places, strict=True):
        canvas.disc(x, y, 0.18, COLOURS[colour])
    right = canvas.pixels()
    assert holds(right, relation)
    assert not holds(np.flip(right, axis=relation.axis).copy(), relation)
    assert not holds(np.full_like(right, 255), relation)


@pytest.mark.parametrize("kind", ["circle", "square", "triangle"])
def test_measurement_tells_shapes_apart(kind: str) -> None:
    canvas = Canvas(SIZE, WHITE)
    KINDS[kind].draw(canvas, 0.5, 0.5, 0.3, COLOURS["green"])
    for other in ("circle", "square", "triangle"):
        assert is_shape(canvas.pixels(), Single("green", other)) == (other == kind)
    assert not is_shape(canvas.pixels(), Single("red", kind))


def test_phrases_see_the_relation_from_both_sides() -> None:
    upper, lower = Item("triangle", "red", 0.5, 0.3, 0.2), Item("heart", "orange", 0.5, 0.7, 0.2)
    phrases = relation_phrases(Random(0), upper, lower, vertical=True)
    assert "a red triangle above an orange heart" in phrases
    assert "an orange heart below a red triangle" in phrases


def test_groups_are_counted_and_coloured() -> None:
    said = {group(Random(seed), "circle", "red", 3) for seed in range(40)}
    assert said == {"three red circles", "3 red circles"}
    assert {group(Random(seed), "person", "blue", 2) for seed in range(9)} <= {"two people in blue", "2 people in blue"}


def test_backgrounds_keep_every_other_colour_visible() -> None:
    for name in ("yellow", "pink", "blue", "green"):
        pixels = Canvas(SIZE, background_colour(name)).pixels()
        for colour in COLOURS:
            if colour != name:
                assert mask_of(pixels, colour).mean() == 0


def test_landscapes_name_what_they_show() -> None:
    nights = 0
    for seed in range(120):
        picture = landscape_picture(Random(seed), SIZE)
        if FLAT not in picture.tags or "snowfall" in picture.tags or "rain" in picture.tags:
            continue
        night = ["night" in caption for caption in picture.captions]
        assert all(night) or not any(night)
        assert (picture.pixels[0].mean() < 45) == night[0] == ("night" in picture.tags)
        nights += night[0]
    assert nights > 3


def test_landscapes_count_their_things() -> None:
    for seed in range(80):
        picture = landscape_picture(Random(seed), SIZE)
        for kind in {item.kind for item in picture.items}:
            words = {KINDS[kind].plural, *KINDS[kind].words, "people"}
            assert all(any(word in caption for word in words) for caption in picture.captions), picture.captions


def test_colours_mix_by_share() -> None:
    assert mix((0, 0, 0), (100, 200, 50), 0.5) == (50, 100, 25)
