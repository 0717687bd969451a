"""Upscalers: a graph of the ESRGAN kind that makes a picture twice or four times as large, tile by tile."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from hordenode.catalog import AlchemyModel
from hordenode.engine.alchemy.graph_picture import PictureGraph, to_image, to_pixels
from hordenode.engine.alchemy.options import Options
from hordenode.engine.alchemy.tiles import Pixels, tiled
from hordenode.engine.jobs import UnsupportedJob
from hordenode.engine.runtime import Runtime

TILE, MARGIN = 256, 16
MAX_SIDE, MAX_PIXELS = 16_383, 64_000_000  # of what is made


def factor_of(form: str) -> int:
    """The factor that a form's name promises: RealESRGAN_x2plus makes twice as large, NMKD_Siax four times."""
    return 2 if "x2" in form or form.startswith("2x") else 4


class Upscaler:
    """A loaded upscaler."""

    def __init__(self, model: AlchemyModel, runtime: Runtime) -> None:
        """Raises ModelFileError."""
        self._form, self._factor = model.form, factor_of(model.form)
        self._graph = PictureGraph(runtime.open(model.path / "model.onnx"))

    def apply(self, image: Image.Image, options: Options, done: Callable[[int, int], None]) -> Image.Image:
        """The picture at the form's factor, whatever the graph's own. Raises UnsupportedJob when it would be too large."""
        size = (image.width * self._factor, image.height * self._factor)
        if max(size) > MAX_SIDE or size[0] * size[1] > MAX_PIXELS:
            raise UnsupportedJob(f"{self._form} would make {size[0]}x{size[1]} pixels, which is too large.")
        made = to_image(self._enlarged(to_pixels(image), done))
        made = made if made.size == size else made.resize(size, Image.Resampling.LANCZOS)
        if image.has_transparency_data:
            alpha = image.convert("RGBA").getchannel("A").resize(size, Image.Resampling.LANCZOS)
            made.putalpha(alpha)
        return made

    def _enlarged(self, pixels: Pixels, done: Callable[[int, int], None]) -> Pixels:
        fixed = self._graph.fixed
        if fixed is None:
            return tiled(pixels, self._graph.run, done, tile=TILE, margin=MARGIN)
        side = min(fixed) - 2 * MARGIN
        return tiled(pixels, lambda part: self._padded(part, fixed), done, tile=max(side, 1), margin=MARGIN)

    def _padded(self, part: Pixels, size: tuple[int, int]) -> Pixels:
        """A part through a graph of fixed size: its edges are repeated up to that size."""
        height, width = part.shape[:2]
        padded = np.pad(part, ((0, size[0] - height), (0, size[1] - width), (0, 0)), mode="edge")
        made = self._graph.run(padded)
        scale = made.shape[0] // size[0]
        return made[: height * scale, : width * scale]
