"""Pictures under a memory limit: large ones are decoded in tiles, and what cannot fit is refused before it starts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from hordenode.catalog import Catalog, ImageModel
from hordenode.config import EngineSettings
from hordenode.engine.image.autoencoder import TILE
from hordenode.engine.image.pipeline import ImagePipeline
from hordenode.engine.jobs import ImageResult, Progress
from hordenode.engine.onnx_backend import OnnxBackend
from hordenode.engine.residency import OverBudget
from hordenode.engine.runtime import Runtime
from tests.numeric.test_image_modes import BASE, JOB, ignore

LIMITED = EngineSettings(threads=1, providers=("cpu",), memory_mb=64)
TINY = ImageModel(name="tiny", path=BASE)
LARGE = replace(JOB, width=640, height=320, steps=1)


def drawn(limited: bool) -> NDArray[np.float64]:
    pipeline = ImagePipeline(TINY, Runtime(LIMITED), frugal=None if limited else False)
    picture = pipeline.draw(LARGE, ignore).images[0]
    return np.frombuffer(picture.rgb, np.uint8).reshape(picture.height, picture.width, 3).astype(np.float64)


def test_a_large_picture_in_tiles_looks_like_the_whole_one() -> None:
    whole, tiled = drawn(False), drawn(True)
    assert whole.shape == (320, 640, 3) and whole.shape[1] > TILE * 8 and whole.std() > 50
    off = np.abs(tiled - whole)
    assert off.max() > 0  # there were tiles: each is normalised by itself
    assert off.mean() < 1.5 and np.quantile(off, 0.999) < 24 and off.max() < 64  # of 255


def test_a_picture_that_cannot_fit_is_refused_before_its_first_step_and_the_next_is_drawn() -> None:
    backend = OnnxBackend(Catalog(image={"tiny": TINY}), LIMITED)
    heard: list[Progress] = []
    with pytest.raises(
        OverBudget, match=r"a job of 'image tiny' needs about \d+ MB.*engine\.memory_mb is 64: raise it"
    ):
        backend.run(LARGE, heard.append)
    assert not heard
    made = backend.run(JOB, heard.append)
    assert isinstance(made, ImageResult) and len(made.images) == 1 and heard
