"""The small parts of the image engine by themselves: prompts, sources, tiles, stages, seamless pictures, previews."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from hordenode.engine.image.denoiser import Latent
from hordenode.engine.image.graph import hidden_layers
from hordenode.engine.image.preview import Preview
from hordenode.engine.image.prompt_syntax import Words, parse
from hordenode.engine.image.schedule import Schedule, SchedulerConfig
from hordenode.engine.image.sources import BadPicture, latent_mask, read_picture, read_source
from hordenode.engine.image.stages import enlarged, levels, stages, step_count
from hordenode.engine.image.tiles import in_tiles
from hordenode.engine.image.wrappers import seamless
from hordenode.engine.jobs import ImageJob, ModelFileError, UnsupportedJob
from hordenode.engine.seeds import seeded


@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("a red house", [[("a red house", 1.0)]]),
        ("a (red) house", [[("a ", 1.0), ("red", 1.1), (" house", 1.0)]]),
        ("((red)) [house]", [[("red", 1.21), (" ", 1.0), ("house", 1 / 1.1)]]),
        ("(red:1.5) (a (b:2) c:0.5)", [[("red", 1.5), (" ", 1.0), ("a ", 0.5), ("b", 1.0), (" c", 0.5)]]),
        ("at 10:30 (pm) x:1", [[("at 10:30 ", 1.0), ("pm", 1.1), (" x:1", 1.0)]]),
        (r"a \(smile\) [b\]]", [[("a (smile) ", 1.0), ("b]", 1 / 1.1)]]),
        ("one BREAK two BREAKFAST", [[("one ", 1.0)], [(" two BREAKFAST", 1.0)]]),
        ("(one BREAK two:1.3) three", [[("one ", 1.3)], [(" two", 1.3), (" three", 1.0)]]),
        ("(open", [[("open", 1.1)]]),
        ("shut) ] here", [[("shut) ] here", 1.0)]]),
        ("(a: .5) (b:-1)", [[("a", 0.5), (" ", 1.0), ("b", -1.0)]]),
        ("", [[]]),
    ],
)
def test_prompts_are_read_as_written(prompt: str, parts: list[list[tuple[str, float]]]) -> None:
    made = parse(prompt)
    assert [[each.text for each in words] for words in made] == [[text for text, _ in words] for words in parts]
    for words, expected in zip(made, parts, strict=True):
        assert [each.weight for each in words] == pytest.approx([weight for _, weight in expected])


@given(st.text(alphabet="ab ()[]:\\1.BREAK", max_size=40))
def test_any_text_is_a_prompt(prompt: str) -> None:
    assert all(isinstance(each, Words) for words in parse(prompt) for each in words)


@given(st.text(alphabet="abc d,.:;!?1", max_size=40))
def test_a_prompt_without_brackets_stays_one_piece(prompt: str) -> None:
    assert "".join(each.text for words in parse(prompt) for each in words) == prompt
    assert len(parse(prompt)[0]) <= 1


def picture(mode: str, size: tuple[int, int], colour: object = 0, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, colour).save(out, kind)  # type: ignore[arg-type]
    return out.getvalue()


def half_transparent() -> bytes:
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 32, 64))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def test_the_transparent_part_is_what_is_painted() -> None:
    mask = read_source(half_transparent(), b"", "inpainting", 64, 64).mask
    assert mask is not None and mask[:, :32].all() and not mask[:, 32:].any()


def test_around_a_smaller_picture_everything_is_painted() -> None:
    source = read_source(picture("RGB", (64, 32), (9, 9, 9)), b"", "outpainting", 128, 64)
    assert source.mask is not None and source.mask.sum() == 128 * 64 - 64 * 32
    assert not source.mask[32, 64] and (source.rgb[~source.mask] == 9).all()


@pytest.mark.parametrize(
    ("image", "mask", "processing", "said"),
    [
        (picture("RGB", (64, 64)), b"", "inpainting", "needs a source_mask"),
        (picture("RGB", (64, 64)), picture("L", (64, 64)), "inpainting", "nothing to paint"),
        (picture("RGB", (64, 64)), b"", "outpainting", "nothing to paint"),
    ],
)
def test_what_cannot_be_painted_is_refused_with_the_reason(
    image: bytes, mask: bytes, processing: str, said: str
) -> None:
    with pytest.raises(UnsupportedJob, match=said):
        read_source(image, mask, processing, 64, 64)


def bomb() -> bytes:
    """A PNG that says it has 10^10 pixels."""
    data = bytearray(picture("L", (1, 1)))
    data[16:24] = (100_000).to_bytes(4, "big") * 2
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [b"", b"no picture", picture("RGB", (64, 64))[:60], picture("RGB", (64, 64), kind="GIF"), bomb()],
    ids=["empty", "text", "truncated", "another format", "bomb"],
)
def test_a_hostile_picture_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(BadPicture, match="source mask"):
        read_picture(data, "source mask")


def test_every_touched_latent_is_painted() -> None:
    mask = np.zeros((64, 64), np.bool_)
    mask[9, 17] = True
    made = latent_mask(mask, 8, 8)
    assert made.shape == (1, 1, 8, 8) and made.sum() == 1 and made[0, 0, 1, 2] == 1


@pytest.mark.parametrize("factor", [1, 2])
def test_tiles_give_what_the_whole_gives_where_a_run_is_local(factor: int) -> None:
    whole = seeded(1).standard_normal((1, 3, 50, 37), np.float32)

    def grown(x: Latent) -> Latent:
        return np.repeat(np.repeat(x[:, :2] * 2, factor, 2), factor, 3)

    np.testing.assert_allclose(in_tiles(grown, whole, 16, 4), grown(whole), rtol=1e-5, atol=1e-6)


JOB = ImageJob("job", "model", "x", width=1024, height=512, steps=20)


def test_hires_fix_starts_at_the_size_that_the_model_knows() -> None:
    small, large = stages(replace(JOB, hires_fix=True), 128, 64, 64 * 64, 8)
    assert small.width * small.height <= 64 * 64 and small.strength == 1
    assert 1.7 < small.width / small.height < 2.3
    assert (large.width, large.height, large.strength) == (128, 64, 0.65)
    assert len(stages(replace(JOB, hires_fix=True), 64, 64, 64 * 64, 8)) == 1
    assert len(stages(JOB, 128, 64, 64 * 64, 8)) == 1


@pytest.mark.parametrize(("steps", "strength", "count"), [(20, 0.65, 13), (20, 0.01, 1), (20, 1.0, 20), (1, 0.5, 1)])
def test_strength_is_a_part_of_the_steps(steps: int, strength: float, count: int) -> None:
    assert step_count(steps, strength) == count


def test_samplers_that_end_at_their_last_level_end_clean() -> None:
    schedule = Schedule(SchedulerConfig(timestep_spacing="trailing"))
    fast = levels(schedule, ImageJob("j", "m", "x", steps=10, sampler="k_dpm_fast", karras=False), 1.0)
    plain = levels(schedule, ImageJob("j", "m", "x", steps=10, sampler="k_euler", karras=False), 1.0)
    assert fast[-2] == schedule.sigma_min < plain[-2]
    np.testing.assert_array_equal(np.delete(fast, -2), np.delete(plain, -2))


def test_a_latent_grows_without_new_colours() -> None:
    latent = seeded(2).standard_normal((1, 4, 8, 8), np.float32)
    made = enlarged(latent, 24, 16)
    assert made.shape == (1, 4, 16, 24)
    assert made.min() >= latent.min() and made.max() <= latent.max()


def test_a_seamless_walk_has_no_edge() -> None:
    """A denoiser that marks the edges of what it sees marks every place alike, on the average."""

    def marks_edges(x: Latent, sigma: float) -> Latent:
        made = np.zeros_like(x)
        made[..., 0, :] = made[..., :, 0] = 1
        return made

    denoise = seamless(marks_edges)
    mean = np.mean([denoise(np.zeros((1, 1, 16, 16), np.float32), 1.0) for _ in range(200)], axis=0)
    assert mean.max() < 2.5 * mean.mean()


def test_a_preview_learns_the_colours_of_a_decoder() -> None:
    weights = np.array([[40, 0, 10], [0, 30, 5], [9, 9, 9], [0, 20, -30]], np.float32)

    def decoded(latent: Latent) -> NDArray[np.uint8]:
        colours = np.einsum("chw,cd->hwd", latent[0], weights) + 128
        large = np.repeat(np.repeat(colours, 8, 0), 8, 1)
        return np.asarray(np.rint(large).clip(0, 255), np.uint8)

    preview = Preview(4)
    assert not preview.knows
    preview.learn(preview.sample(), decoded(preview.sample()))
    other = seeded(3).standard_normal((1, 4, 6, 5), np.float32) * np.float32(0.5)
    seen = preview.picture(other)
    assert seen.shape == (6, 5, 3)
    assert np.abs(seen.astype(int) - decoded(other)[::8, ::8]).max() <= 3


@given(st.binary(max_size=64))
def test_no_bytes_break_the_reading_of_a_graph(data: bytes) -> None:

    try:
        found = hidden_layers(Path("model.onnx"), data)
    except ModelFileError as error:
        assert "model.onnx" in str(error)
    else:
        assert found == []
