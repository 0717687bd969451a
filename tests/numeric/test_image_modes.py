"""Every mode and family against diffusers' pipelines with the same weights and the same noise, latent by latent.

Twice: with latents in main memory, and with latents that stay on the device, which is the CPU here.
"""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hordenode.catalog import ImageModel
from hordenode.config import EngineSettings
from hordenode.engine.image.pipeline import ImagePipeline
from hordenode.engine.image.sources import read_source
from hordenode.engine.jobs import ImageJob, Progress, UnsupportedJob
from hordenode.engine.runtime import Runtime

GOLDENS = Path(__file__).parent / "goldens"
BASE, FAMILIES = GOLDENS / "image", GOLDENS / "families"
RUNTIME = Runtime(EngineSettings(threads=1, providers=("cpu",)))
SIZE = 64
JOB = ImageJob(
    "job",
    "tiny",
    "A red circle, above:",
    "blurry photo",
    seeds=(7,),
    width=SIZE,
    height=SIZE,
    steps=8,
    cfg_scale=5.0,
    sampler="k_euler",
    karras=False,
)


def png(pixels: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def gradient() -> NDArray[np.uint8]:
    """The source of make_image_goldens.py."""
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.stack([x * 4 % 256, y * 4 % 256, (x + y) * 2 % 256], axis=-1).astype(np.uint8)


def right_half() -> NDArray[np.uint8]:
    made = np.zeros((SIZE, SIZE), np.uint8)
    made[:, SIZE // 2 :] = 255
    return made


SOURCE, MASK = png(gradient()), png(right_half())
PAINT = replace(JOB, source_image=SOURCE, source_mask=MASK, source_processing="inpainting")


def ignore(progress: Progress) -> None:
    """For jobs whose steps do not matter."""


def latent(pipeline: ImagePipeline, job: ImageJob) -> NDArray[np.float32]:
    source = None
    if job.source_image:
        source = read_source(job.source_image, job.source_mask, job.source_processing, job.width, job.height)
    return next(pipeline.latents(job, source, ignore))


def assert_as_reference(made: NDArray[np.float32], file: str, name: str) -> None:
    with np.load(GOLDENS / file) as goldens:
        expected = goldens[name]
    assert made.shape == expected.shape
    assert np.abs(made - expected).max() < 1e-3 * np.abs(expected).max()


@pytest.fixture(scope="module", params=[False, True], ids=["in memory", "on the device"])
def resident(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def family_folder(folder: Path, *names: str) -> Path:
    """A model of the base's parts and of what is its own; the later of `names` win."""
    shutil.copytree(BASE, folder, dirs_exist_ok=True)
    for name in names:
        shutil.copytree(FAMILIES / name, folder, dirs_exist_ok=True)
    if "xl" in names:
        shutil.copytree(folder / "tokenizer", folder / "tokenizer_2")
        config = json.loads((folder / "tokenizer_2" / "tokenizer_config.json").read_text(encoding="utf-8"))
        (folder / "tokenizer_2" / "tokenizer_config.json").write_text(json.dumps(config | {"pad_token": "!"}))
    return folder


def family(folder: Path, *names: str, resident: bool = False) -> ImagePipeline:
    model = ImageModel(name=names[-1], path=family_folder(folder, *names))
    return ImagePipeline(model, RUNTIME, resident=resident)


@pytest.fixture(scope="module")
def tiny(resident: bool) -> ImagePipeline:
    return ImagePipeline(ImageModel(path=BASE), RUNTIME, resident=resident)


@pytest.mark.parametrize(
    ("name", "job"),
    [
        ("plain", JOB),
        ("clip_skip", replace(JOB, clip_skip=2)),
        ("weights", replace(JOB, prompt="A (red:1.5) [circle]", negative_prompt="(blurry) photo")),
        ("img2img", replace(JOB, source_image=SOURCE, denoising_strength=0.6)),
        ("hires", replace(JOB, width=2 * SIZE, height=2 * SIZE, hires_fix=True)),
        ("inpainting/1.0", PAINT),
        ("inpainting/0.6", replace(PAINT, denoising_strength=0.6)),
    ],
)
def test_a_mode_makes_what_the_reference_makes(tiny: ImagePipeline, name: str, job: ImageJob) -> None:
    assert_as_reference(latent(tiny, job), "image.npz", name)


@pytest.mark.parametrize("strength", [1.0, 0.6])
def test_an_inpainting_model_makes_what_the_reference_makes(tmp_path: Path, strength: float, resident: bool) -> None:
    made = latent(family(tmp_path, "inpainting", resident=resident), replace(PAINT, denoising_strength=strength))
    assert_as_reference(made, "families.npz", f"inpainting/{strength}")


def test_a_consistency_model_makes_what_the_reference_makes(tmp_path: Path, resident: bool) -> None:
    made = latent(family(tmp_path, "lcm", resident=resident), replace(JOB, sampler="lcm", steps=4))
    assert_as_reference(made, "families.npz", "lcm")


@pytest.mark.parametrize("name", ["sd2", "sd2 zero"])
def test_a_model_that_predicts_v_makes_what_the_reference_makes(tmp_path: Path, name: str, resident: bool) -> None:
    assert_as_reference(latent(family(tmp_path, "sd2", name, resident=resident), JOB), "families.npz", name)


@pytest.mark.parametrize(
    ("names", "sampler", "steps"),
    [
        (("sd2", "turbo"), "k_euler", 1),
        (("sd2", "turbo"), "k_euler", 4),
        (("xl", "xl turbo"), "k_euler_a", 1),
        (("xl", "xl turbo"), "k_euler_a", 3),
    ],
)
def test_a_turbo_model_makes_what_the_reference_makes(
    tmp_path: Path, names: tuple[str, ...], sampler: str, steps: int, resident: bool
) -> None:
    job = replace(JOB, sampler=sampler, steps=steps, cfg_scale=1.0)  # which is what diffusers means by 0
    assert_as_reference(
        latent(family(tmp_path, *names, resident=resident), job), "families.npz", f"{names[-1]}/{steps}"
    )


@pytest.mark.parametrize(
    ("name", "job"),
    [
        ("xl", JOB),
        ("xl/no negative", replace(JOB, negative_prompt="")),
        ("xl/clip_skip", replace(JOB, clip_skip=3)),  # the reference counts from SDXL's own layer
    ],
)
def test_sdxl_makes_what_the_reference_makes(tmp_path: Path, name: str, job: ImageJob, resident: bool) -> None:
    assert_as_reference(latent(family(tmp_path, "xl", resident=resident), job), "families.npz", name)


def test_sdxl_draws_with_clip_skip_2_what_it_draws_without(tmp_path: Path) -> None:
    pipeline = family(tmp_path, "xl")
    np.testing.assert_array_equal(latent(pipeline, JOB), latent(pipeline, replace(JOB, clip_skip=2)))
    assert (latent(pipeline, JOB) != latent(pipeline, replace(JOB, clip_skip=3))).any()


def test_clip_skip_beyond_the_layers_is_refused(tiny: ImagePipeline) -> None:
    with pytest.raises(UnsupportedJob, match="clip_skip is 9; this model's text encoder has 3 layers"):
        tiny.draw(replace(JOB, clip_skip=9), ignore)
