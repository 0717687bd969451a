"""Forms that need no model: the colours, the facts and the outlines of a picture."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from hordenode.catalog import FORMS, UPSCALERS, Catalog
from hordenode.config import EngineSettings
from hordenode.domain import forms, kudos
from hordenode.engine.alchemy.contours import contours
from hordenode.engine.alchemy.curves import simplified
from hordenode.engine.alchemy.describe import describe
from hordenode.engine.alchemy.options import flag, number, whole
from hordenode.engine.alchemy.palette import palette
from hordenode.engine.alchemy.tiles import tiled
from hordenode.engine.alchemy.vectorize import vectorize
from hordenode.engine.jobs import AlchemyJob, AlchemyResult, UnknownModel
from hordenode.engine.onnx_backend import OnnxBackend

SETTINGS = EngineSettings(threads=1, providers=("cpu",))


def scene(width: int = 320, height: int = 200) -> Image.Image:
    """A red disc and a small white square on blue."""
    image = Image.new("RGB", (width, height), "blue")
    draw = ImageDraw.Draw(image)
    draw.ellipse((40, 40, 160, 160), fill="red")
    draw.rectangle((220, 60, 279, 119), fill="white")
    return image


def test_the_names_of_the_forms_are_the_same_everywhere() -> None:
    assert set(FORMS) == forms.FORMS
    assert forms.POST_PROCESSORS < forms.FORMS and len(forms.POST_PROCESSORS) == 17
    assert set(UPSCALERS) == kudos.UPSCALERS | forms.OWN_FORMS


def test_a_palette_is_ordered_by_share() -> None:
    found = palette(scene(), {"colors": "3"})
    assert [colour["color"] for colour in found] == ["#0000ff", "#ff0000", "#ffffff"]
    assert found[0]["share"] > found[1]["share"] > found[2]["share"] > 0.03
    assert sum(colour["share"] for colour in found) == pytest.approx(1, abs=0.001)


def test_a_palette_leaves_out_what_cannot_be_seen() -> None:
    image = Image.new("RGBA", (64, 64), (0, 255, 0, 0))
    assert palette(image, {}) == []
    image.paste((10, 20, 30, 255), (0, 0, 32, 64))
    assert palette(image, {}) == [{"color": "#0a141e", "share": 1.0}]


def test_a_description_names_size_colour_and_hashes() -> None:
    found = describe(scene(), {})
    assert (found["width"], found["height"], found["orientation"]) == (320, 200, "landscape")
    assert found["transparent"] is False and found["main_color"] == "#0000ff"
    assert 0 < found["brightness"] < 0.5
    assert all(re.fullmatch("[0-9a-f]{16}", found["hashes"][name + "_hash"]) for name in HASHES)
    assert len(found["hashes"]["sha256"]) == 64


HASHES = ("average", "difference", "perceptual")


def distance(one: Image.Image, other: Image.Image, name: str) -> int:
    first, second = (int(describe(image, {})["hashes"][f"{name}_hash"], 16) for image in (one, other))
    return (first ^ second).bit_count()


@pytest.mark.parametrize("name", HASHES)
def test_hashes_stay_near_for_alike_pictures_and_go_far_for_others(name: str) -> None:
    smaller = scene().resize((160, 100)).point(lambda value: int(value * 0.9))
    turned = scene().transpose(Image.Transpose.ROTATE_180)
    assert distance(scene(), smaller, name) <= 6 < distance(scene(), turned, name)


def svg_paths(svg: str) -> list[ElementTree.Element]:
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    return list(root)


def test_a_traced_picture_has_its_size_and_its_shapes() -> None:
    svg = vectorize(scene(), {"colors": "3"})
    paths = svg_paths(svg)
    assert [path.get("fill") for path in paths] == ["#0000ff", "#ff0000", "#ffffff"]
    assert 'width="320" height="200"' in svg and len(svg) < 4000
    white = [float(n) for n in re.findall(r"-?\d+\.?\d*", paths[2].get("d") or "")]
    xs, ys = white[0::2], white[1::2]
    assert (min(xs), max(xs)) == pytest.approx((220, 280), abs=1.5)
    assert (min(ys), max(ys)) == pytest.approx((60, 120), abs=1.5)


def test_a_traced_picture_is_scaled_back_and_transparency_is_left_out() -> None:
    large = Image.new("RGBA", (2000, 1000), (0, 0, 0, 0))
    large.paste((255, 0, 0, 255), (400, 200, 1600, 800))
    (path,) = svg_paths(vectorize(large, {}))
    numbers = [float(n) for n in re.findall(r"-?\d+\.?\d*", path.get("d") or "")]
    assert (min(numbers[0::2]), max(numbers[0::2])) == pytest.approx((400, 1600), abs=8)
    assert svg_paths(vectorize(Image.new("RGBA", (40, 40)), {})) == []


def test_noise_is_traced_within_bounds() -> None:
    pixels = np.random.default_rng(5).integers(0, 256, (128, 128, 3), np.uint8)
    paths = svg_paths(vectorize(Image.fromarray(pixels), {}))
    assert sum((path.get("d") or "").count("M") for path in paths) <= 2000


def area_of(polygon: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """With a sign: an outline and a hole in it go round in opposite directions."""
    x, y = polygon.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


@given(st.lists(st.lists(st.booleans(), min_size=7, max_size=7), min_size=1, max_size=7))
@settings(max_examples=200, deadline=None)
def test_outlines_enclose_exactly_the_area(rows: list[list[bool]]) -> None:
    area = np.array(rows, np.bool_)
    found = contours(area)
    assert sum(area_of(polygon) for polygon in found) == area.sum()
    for polygon in found:
        steps = np.abs(np.roll(polygon, -1, axis=0) - polygon)
        assert (steps.min(axis=1) == 0).all() and (steps.max(axis=1) > 0).all()


def test_simplified_polygons_stay_near_and_keep_their_corners() -> None:
    stairs = [(i, i) for i in range(20)]
    polygon = np.array([point for x, y in stairs for point in ((x, y), (x + 1, y))] + [(20, 40), (0, 40)], np.float64)
    few = simplified(polygon)
    assert len(few) <= 6
    assert area_of(few) == pytest.approx(area_of(polygon), rel=0.05)


def test_options_are_read_leniently() -> None:
    given = {"a": "3.7", "b": "True", "c": "nonsense", "d": "nan", "e": "-5", "f": "no"}
    assert number(given, "a", 0, 0, 10) == 3.7
    assert whole(given, "a", 0, 0, 10) == 4
    assert flag(given, "b") and not flag(given, "f") and not flag(given, "absent")
    assert [number(given, key, 1, 0, 10) for key in "cde"] == [1, 1, 0]


def test_tiles_are_put_together_without_seams() -> None:
    pixels = np.random.default_rng(1).random((70, 45, 3), np.float32)
    steps: list[tuple[int, int]] = []

    def enlarged(
        part: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        assert part.shape[0] <= 32 + 8 and part.shape[1] <= 32 + 8
        return part.repeat(2, axis=0).repeat(2, axis=1)

    made = tiled(pixels, enlarged, lambda step, steps_: steps.append((step, steps_)), tile=32, margin=4)
    assert np.array_equal(made, pixels.repeat(2, axis=0).repeat(2, axis=1))
    assert steps == [(i, 6) for i in range(1, 7)]


def test_a_form_without_its_model_says_so(tmp_path: Path) -> None:
    backend = OnnxBackend(Catalog(), SETTINGS)
    assert [info.name for info in backend.models()] == ["describe", "palette", "vectorize"]
    with pytest.raises(
        UnknownModel, match=r"No model for 'caption' is installed on this node.*\[alchemy\.\"caption\"\]"
    ):
        backend.run(AlchemyJob("job", "caption", b""), lambda progress: None)


def test_the_engine_reads_the_file_and_reports(tmp_path: Path) -> None:
    file = tmp_path / "scene.png"
    scene().save(file)
    heard: list[int] = []
    job = AlchemyJob("job", "palette", file.read_bytes(), {"colors": "2"})
    made = OnnxBackend(Catalog(), SETTINGS).run(job, lambda progress: heard.append(progress.step))
    assert isinstance(made, AlchemyResult) and len(made.value) == 2 and made.picture is None
    assert heard == [1]
