"""Latents that stay on the device: the same pictures as with numpy, and nothing of the walk in main memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hordenode.catalog import ImageModel
from hordenode.engine.image.mixture import Mixture, Workbench
from hordenode.engine.image.pipeline import ImagePipeline
from hordenode.engine.image.samplers import LINEAR_SAMPLERS, SAMPLERS
from hordenode.engine.image.sources import read_source
from hordenode.engine.image.unet import Guidance
from hordenode.engine.jobs import JobCancelled, Progress
from tests.numeric.test_image_modes import (
    BASE,
    JOB,
    MASK,
    PAINT,
    RUNTIME,
    SIZE,
    SOURCE,
    family,
    family_folder,
    ignore,
    latent,
)

Array = NDArray[np.float32]


@pytest.fixture(scope="module")
def in_memory() -> ImagePipeline:
    return ImagePipeline(ImageModel(path=BASE), RUNTIME, resident=False)


@pytest.fixture(scope="module")
def on_device() -> ImagePipeline:
    return ImagePipeline(ImageModel(path=BASE), RUNTIME, resident=True)


def assert_alike(made: Array, expected: Array, tolerance: float = 1e-4) -> None:
    assert made.dtype == expected.dtype == np.float32
    assert np.abs(made - expected).max() < tolerance * np.abs(expected).max()


@pytest.mark.parametrize("karras", [False, True], ids=["plain", "karras"])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_each_sampler_comes_to_the_same(
    in_memory: ImagePipeline, on_device: ImagePipeline, sampler: str, karras: bool
) -> None:
    job = replace(JOB, sampler=sampler, karras=karras, steps=12)
    assert_alike(latent(on_device, job), latent(in_memory, job))


@pytest.mark.parametrize("sampler", sorted(LINEAR_SAMPLERS))
def test_each_sampler_comes_to_the_same_from_the_end_of_all_signal(tmp_path: Path, sampler: str) -> None:
    pipelines = [family(tmp_path / str(resident), "sd2", "sd2 zero", resident=resident) for resident in (True, False)]
    made, expected = (latent(each, replace(JOB, sampler=sampler)) for each in pipelines)
    # Sums of what lies near a sigma of 4096 round to several ten-thousandths, in whatever order they are made.
    assert_alike(made, expected, 1e-3)


@pytest.mark.parametrize("change", [{}, {"denoising_strength": 0.4}, {"cfg_scale": 1.0}], ids=str)
def test_a_masked_latent_comes_to_the_same(
    in_memory: ImagePipeline, on_device: ImagePipeline, change: dict[str, float]
) -> None:
    job = replace(PAINT, **change)  # type: ignore[arg-type]
    assert_alike(latent(on_device, job), latent(in_memory, job))


def test_both_halves_of_guidance_one_by_one_come_to_the_same(
    in_memory: ImagePipeline, on_device: ImagePipeline
) -> None:
    job = replace(JOB, width=512, height=448, steps=2)  # more than WHOLE_AREA
    assert_alike(latent(on_device, job), latent(in_memory, job))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"sampler": "k_dpmpp_sde", "karras": True},
        {"cfg_scale": 1.0},
        {"width": 2 * SIZE, "height": 2 * SIZE, "hires_fix": True},
        {"source_image": SOURCE, "denoising_strength": 0.6},
        {"source_image": SOURCE, "source_mask": MASK, "source_processing": "inpainting"},
    ],
    ids=lambda change: " ".join(change) or "plain",
)
@pytest.mark.parametrize("model", ["tiny", "inpainting"])
def test_pictures_of_one_run_are_those_that_are_drawn_one_by_one(
    tmp_path: Path, model: str, change: dict[str, object]
) -> None:
    folder = BASE if model == "tiny" else family_folder(tmp_path, model)
    seeds = (1, 2, 3)
    job = replace(JOB, steps=4, seeds=seeds, **change)  # type: ignore[arg-type]
    heard: list[list[int]] = [[], []]
    source = None
    if job.source_image:
        source = read_source(job.source_image, job.source_mask, job.source_processing, job.width, job.height)
    made = []
    for frugal, steps in zip((False, True), heard, strict=True):
        pipeline = ImagePipeline(ImageModel(path=folder), RUNTIME, resident=True, frugal=frugal)

        def hear(progress: Progress, steps: list[int] = steps) -> None:
            steps.append(progress.step)

        made.append(list(pipeline.latents(job, source, hear)))
    assert len(made[0]) == len(seeds) and len(heard[1]) == len(seeds) * len(heard[0])
    for together, alone in zip(*made, strict=True):
        assert_alike(together, alone)


def test_of_large_pictures_fewer_are_drawn_in_one_run() -> None:
    pipeline = ImagePipeline(ImageModel(path=BASE), RUNTIME, resident=True, frugal=False)
    heard: list[int] = []
    job = replace(JOB, steps=1, cfg_scale=1.0, width=512, height=512, seeds=tuple(range(5)))
    assert len(list(pipeline.latents(job, None, lambda progress: heard.append(progress.steps)))) == 5
    assert heard == [2, 2]
    assert pipeline.estimate_mb(job) == 4 * ImagePipeline(ImageModel(path=BASE), RUNTIME).estimate_mb(job)


def test_nothing_of_a_walk_is_predicted_in_main_memory(
    on_device: ImagePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a prediction in main memory")

    monkeypatch.setattr(Guidance, "predict", refuse)
    on_device.draw(JOB, ignore)
    for needs_arrays in (replace(JOB, tiling=True), replace(JOB, sampler="k_dpm_adaptive")):
        with pytest.raises(AssertionError, match="in main memory"):
            on_device.draw(needs_arrays, ignore)


def test_previews_and_cancelling_work_alike(on_device: ImagePipeline) -> None:
    seen: list[Progress] = []

    def stop_at_fourth(progress: Progress) -> None:
        seen.append(progress)
        if progress.step == 4:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        on_device.draw(replace(JOB, preview_every=2), stop_at_fourth)
    assert [progress.step for progress in seen] == [1, 2, 3, 4]
    assert [progress.preview is not None for progress in seen] == [False, True, False, True]


@given(st.lists(st.floats(-4, 4, width=32), min_size=4, max_size=4))
def test_the_arithmetic_of_mixtures_is_that_of_arrays(numbers: list[float]) -> None:
    bench = Workbench(RUNTIME)
    random = np.random.default_rng(3)
    x, y, noise = (random.standard_normal((1, 2, 3, 4), np.float32) for _ in range(3))
    a, b, c, d = (np.float32(number) for number in numbers)

    def mixed(first: Array, second: Array) -> Array:
        made: Array = a * first + (first - second) * b + noise * c
        made = noise - made / np.float32(2) + second * d
        return made - first

    there = mixed(Mixture.of(bench, x), Mixture.of(bench, y))  # type: ignore[arg-type]
    assert isinstance(there, Mixture)
    np.testing.assert_allclose(there.numpy(), mixed(x, y), atol=1e-5)
