"""Pictures larger than a model draws, by the upscaler that its entry names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hordenode.catalog import Catalog, CatalogError, load_catalog
from hordenode.config import EngineSettings
from hordenode.engine.jobs import ImageJob, ImageResult, JobCancelled, Progress
from hordenode.engine.onnx_backend import OnnxBackend
from tests.numeric.test_alchemy_models import enlarger
from tests.numeric.test_image_modes import png

SETTINGS = EngineSettings(threads=1, providers=("cpu",))
TINY = Path(__file__).parent / "goldens" / "image"
JOB = ImageJob("job", "tiny", "A red circle", width=64, height=64, steps=2, cfg_scale=5.0, sampler="k_euler")
ENTRY = f"""
[image.tiny]
path = '{TINY}'
max_pixels = 4096
upscaler = "mine"

[alchemy.mine]
path = "mine"
form = "RealESRGAN_x2plus"
"""

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    enlarger(tmp_path / "mine" / "model.onnx", 2)
    (tmp_path / "models.toml").write_text(ENTRY)
    return load_catalog(tmp_path)


def draw(catalog: Catalog, job: ImageJob) -> Pixels:
    made = OnnxBackend(catalog, SETTINGS).run(job, lambda progress: None)
    assert isinstance(made, ImageResult)
    picture = made.images[0]
    assert (picture.width, picture.height) == (job.width, job.height)
    return np.frombuffer(picture.rgb, np.uint8).reshape(job.height, job.width, 3)


def grown(pixels: Pixels, factor: int) -> Pixels:
    return pixels.repeat(factor, 0).repeat(factor, 1)


@pytest.mark.parametrize("factor", [2, 4])
def test_what_is_drawn_smaller_is_enlarged_by_the_upscaler(catalog: Catalog, factor: int) -> None:
    size = 64 * factor
    assert np.array_equal(draw(catalog, replace(JOB, width=size, height=size)), grown(draw(catalog, JOB), factor))


def test_sizes_between_are_enlarged_and_then_scaled_down(catalog: Catalog) -> None:
    between = draw(catalog, replace(JOB, width=192, height=192))
    assert np.abs(between[::3, ::3].astype(int) - draw(catalog, JOB)).mean() < 8


def test_what_is_kept_of_a_source_is_not_enlarged(catalog: Catalog) -> None:
    source = np.random.default_rng(1).integers(0, 256, (128, 128, 3), np.uint8)
    mask = np.zeros((128, 128), np.uint8)
    mask[32:64] = 255
    job = replace(JOB, width=128, height=128, source_image=png(source), source_mask=png(mask))
    made = draw(catalog, replace(job, source_processing="inpainting"))
    assert np.array_equal(made[mask == 0], source[mask == 0])
    assert not np.array_equal(made[mask > 0], source[mask > 0])


def test_a_job_is_cancelled_while_its_picture_is_enlarged(catalog: Catalog) -> None:
    heard: list[int] = []

    def stop_after_the_last_step(progress: Progress) -> None:
        heard.append(progress.step)
        if heard.count(JOB.steps) == 2:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        OnnxBackend(catalog, SETTINGS).run(replace(JOB, width=128, height=128), stop_after_the_last_step)
    assert heard == [1, 2, 2]


@pytest.mark.parametrize("name", ["mien", "caption"])
def test_an_upscaler_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    entry = ENTRY.replace('"mine"\n\n', f'"{name}"\n\n') + '\n[alchemy.caption]\npath = "caption"\n'
    (tmp_path / "models.toml").write_text(entry)
    with pytest.raises(CatalogError, match=rf'image."tiny".upscaler \'{name}\' is no upscaler of \[alchemy\]'):
        load_catalog(tmp_path)


def test_the_demo_model_has_its_own() -> None:
    catalog = load_catalog()
    assert catalog.alchemy[catalog.image["hordenode demo"].upscaler].path.joinpath("model.onnx").is_file()
