"""Face fixers: a graph that gives a picture of the same size back, with better faces.

The graph sees the whole picture, so a model that only knows cut-out faces fits portraits alone.
"""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

from hordenode.catalog import AlchemyModel
from hordenode.engine.alchemy.graph_picture import PictureGraph, to_image, to_pixels
from hordenode.engine.alchemy.options import Options, number
from hordenode.engine.runtime import Runtime


class Restorer:
    """A loaded face fixer."""

    def __init__(self, model: AlchemyModel, runtime: Runtime) -> None:
        """Raises ModelFileError."""
        self._graph = PictureGraph(runtime.open(model.path / "model.onnx"))

    def apply(self, image: Image.Image, options: Options, done: Callable[[int, int], None]) -> Image.Image:
        """The fixed picture; `facefixer_strength` (1): how much of it comes through, 0..1."""
        strength = number(options, "facefixer_strength", 1.0, 0.0, 1.0)
        plain = image.convert("RGB")
        fixed = self._graph.fixed
        seen = plain if fixed is None else plain.resize((fixed[1], fixed[0]), Image.Resampling.LANCZOS)
        made = to_image(self._graph.run(to_pixels(seen))).resize(plain.size, Image.Resampling.LANCZOS)
        done(1, 1)
        return Image.blend(plain, made, strength)
