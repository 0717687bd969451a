"""The whole image pipeline against diffusers' StableDiffusionPipeline with the same weights and the same noise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hordenode.catalog import ImageModel
from hordenode.config import EngineSettings
from hordenode.engine.image.conditioner import Conditioner
from hordenode.engine.image.pipeline import ImagePipeline
from hordenode.engine.image.prompt import PromptTokenizer
from hordenode.engine.jobs import ImageJob, Picture, Progress
from hordenode.engine.runtime import Runtime

GOLDENS = Path(__file__).parent / "goldens"
FOLDER = GOLDENS / "image"
RUNTIME = Runtime(EngineSettings(threads=1, providers=("cpu",)))
JOB = ImageJob(
    "job",
    "tiny",
    "A red circle, above:",
    "blurry photo",
    seeds=(7,),
    width=64,
    height=64,
    steps=8,
    cfg_scale=5.0,
    sampler="k_euler",
    karras=False,
)


@pytest.fixture(scope="module")
def tiny() -> ImagePipeline:
    return ImagePipeline(ImageModel(path=FOLDER), RUNTIME)


def ignore(progress: Progress) -> None:
    """For jobs whose steps do not matter."""


def pixels(picture: Picture) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """[H, W, 3], 0..255."""
    return np.frombuffer(picture.rgb, np.uint8).reshape(picture.height, picture.width, 3).astype(np.float64)


def test_it_draws_what_the_reference_draws(tiny: ImagePipeline) -> None:
    with np.load(GOLDENS / "image.npz") as goldens:
        expected = goldens["picture"] * 255.0
    made = pixels(tiny.draw(JOB, ignore).images[0])
    assert expected.std() > 30  # there is something to see
    assert np.abs(made - expected).max() <= 1.0  # rounding to whole steps of 255


@pytest.mark.parametrize(("text", "ids"), json.loads((GOLDENS / "prompts.json").read_text(encoding="utf-8")).items())
def test_prompts_have_the_tokens_of_the_reference(text: str, ids: list[int]) -> None:
    tokenizer = PromptTokenizer(FOLDER / "tokenizer")
    rows = tokenizer.chunks(text)
    room = tokenizer.length - 2
    assert all(len(row.ids) == len(row.weights) == tokenizer.length for row in rows)
    assert [token for row in rows for token in row.ids[1:-1]][: len(ids)] == [
        *(ids if len(ids) <= room else ids[:room] + ids[room:])
    ]


def test_a_long_prompt_is_read_to_its_end(tiny: ImagePipeline) -> None:
    tokenizer = PromptTokenizer(FOLDER / "tokenizer")
    long = "red circle " * 10
    guide = Conditioner(FOLDER, RUNTIME, pooled=False).guide("", long, 1)
    assert len(tokenizer.chunks(long)) > 1
    for side in (guide.empty, guide.prompt):
        assert side.states.shape == (1, tokenizer.length * len(tokenizer.chunks(long)), 16)
    last_word = replace(JOB, prompt=long + "blue")
    other_word = replace(JOB, prompt=long + "pink")
    assert tiny.draw(last_word, ignore).images != tiny.draw(other_word, ignore).images


@pytest.mark.parametrize("sampler", ["k_euler", "k_euler_a", "k_dpmpp_2m", "DDIM"])
def test_same_seed_same_bytes_in_any_batch(tiny: ImagePipeline, sampler: str) -> None:
    job = replace(JOB, sampler=sampler, karras=True, seeds=(1, 2, 3))
    together = tiny.draw(job, ignore).images
    assert [picture.seed for picture in together] == [1, 2, 3]
    assert len({picture.rgb for picture in together}) == 3
    assert tiny.draw(replace(job, seeds=(2,)), ignore).images == together[1:2]


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "a cat"},
        {"negative_prompt": ""},
        {"cfg_scale": 2.0},
        {"cfg_scale": 1.0},
        {"steps": 9},
        {"karras": True},
    ],
)
def test_every_setting_counts(tiny: ImagePipeline, change: dict[str, object]) -> None:
    changed = replace(JOB, **change)  # type: ignore[arg-type]
    assert tiny.draw(changed, ignore).images != tiny.draw(JOB, ignore).images


def test_without_guidance_the_negative_prompt_says_nothing(tiny: ImagePipeline) -> None:
    plain = replace(JOB, cfg_scale=1.0)
    assert tiny.draw(plain, ignore).images == tiny.draw(replace(plain, negative_prompt="x"), ignore).images


def test_progress_counts_the_steps_of_all_pictures(tiny: ImagePipeline) -> None:
    seen: list[Progress] = []
    tiny.draw(replace(JOB, seeds=(1, 2)), seen.append)
    assert seen == [Progress("job", step, 16) for step in range(1, 17)]


def test_what_progress_raises_ends_the_job(tiny: ImagePipeline) -> None:
    steps: list[int] = []

    def stop_at_third(progress: Progress) -> None:
        steps.append(progress.step)
        if progress.step == 3:
            raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        tiny.draw(JOB, stop_at_third)
    assert steps == [1, 2, 3]


@pytest.mark.parametrize(("width", "height"), [(192, 128), (64, 128), (64, 64)])
def test_pictures_have_the_size_that_was_asked_for(width: int, height: int) -> None:
    limited = ImagePipeline(ImageModel(path=FOLDER, min_pixels=8192, max_pixels=8192), RUNTIME)
    square = ImagePipeline(ImageModel(path=FOLDER, max_pixels=4096, square=True), RUNTIME)
    for pipeline in (limited, square):
        picture = pipeline.draw(replace(JOB, width=width, height=height, steps=1), ignore).images[0]
        assert (picture.width, picture.height) == (width, height)
        assert pixels(picture).std() > 1
